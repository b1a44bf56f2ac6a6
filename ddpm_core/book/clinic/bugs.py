"""The twelve suspects: bugs that are one line of the patient, and the copy of it that carries one of them."""

import inspect
from dataclasses import dataclass
from difflib import unified_diff
from types import ModuleType

from ddpm_core.book.clinic import patient


@dataclass(frozen=True)
class Bug:
    """One line of the patient as it should be, and as it is in the sick copy.

    name      what is wrong, in a few words
    function  where the line stands
    sound     the line as it should be, without its indent
    sick      the line as it is
    how       how one comes to write it
    """

    name: str
    function: str
    sound: str
    sick: str
    how: str

    def __repr__(self) -> str:
        return self.name


BUGS = [
    Bug(
        "data in [0, 1]",
        "scaled",
        "return pixels / 127.5 - 1",
        "return pixels / 255",
        "most image loaders hand out [0, 1]",
    ),
    Bug(
        "alpha for alpha_bar",
        "noised",
        "alpha_bar = at(TABLES.alpha_bar, t, like=x0)",
        "alpha_bar = at(TABLES.alpha, t, like=x0)",
        "two tables whose names differ by a bar",
    ),
    Bug(
        "fresh noise in the target",
        "squared_error",
        "x_t = noised(x0, t, eps)",
        "x_t = noised(x0, t, torch.randn_like(x0))",
        "the noise is drawn where it is added, and again where it is asked for",
    ),
    Bug(
        "softmax over the wrong axis",
        "take",
        "return scores.softmax(dim=2) @ v",
        "return scores.softmax(dim=1) @ v",
        "axes are numbers, and every number gives a tensor of the right shape",
    ),
    Bug(
        "dead clock",
        "Residual",
        "self.norm2 = nn.GroupNorm(8, n_out)",
        "self.norm2 = nn.GroupNorm(n_out, n_out)",
        "one group a channel is a norm like another, until something was added to the channel before it",
    ),
    Bug(
        "average never copied",
        "update_average",
        "slow.lerp_(fast, 1 - decay)",
        "slow.lerp(fast, 1 - decay)",
        "without its underscore the function returns what nobody keeps",
    ),
    Bug(
        "clock off by one",
        "guess",
        "eps_hat = net(x_t, t)",
        "eps_hat = net(x_t, t - 1)",
        "somebody counts from 0, somebody from 1",
    ),
    Bug(
        "no clamp",
        "guess",
        "return x0_hat.clamp(-1, 1)",
        "return x0_hat",
        "the paper's Algorithm 2 has none; its code has",
    ),
    Bug(
        "posterior off by one",
        "step_back",
        "before = at(TABLES.alpha_bar, t - 1, like=x_t)",
        "before = at(TABLES.alpha_bar, t, like=x_t)",
        "of two rows of one table the wrong one",
    ),
    Bug(
        "variance for standard deviation",
        "step_back",
        "return mean + beta.sqrt() * z",
        "return mean + beta * z",
        "a root forgotten",
    ),
    Bug(
        "noise in the last step",
        "draw",
        "z = torch.randn(x.shape, generator=chance, dtype=x.dtype) * (t > 1)",
        "z = torch.randn(x.shape, generator=chance, dtype=x.dtype)",
        "every step alike: the loop is simpler so",
    ),
    Bug(
        "dropout while drawing",
        "draw",
        "net.eval()",
        "net.train()",
        "the network comes from the training loop, and nobody told it that training is over",
    ),
]
NAMES = [bug.name for bug in BUGS]


def by_name(name: str) -> Bug:
    """The bug of this name. Raises ValueError for another name."""
    if name not in NAMES:
        raise ValueError(f"need a bug of the clinic, one of {', '.join(NAMES)}, but got {name!r}.")
    return BUGS[NAMES.index(name)]


def planted(*bugs: Bug) -> ModuleType:
    """A copy of the patient, as a module, with the lines of these bugs in the place of the sound ones.

    `planted()` is the sound patient. Raises ValueError for a bug whose sound line is not exactly one line of it.
    """
    code = ModuleType(f"{patient.__name__} ({', '.join(bug.name for bug in bugs) or 'sound'})")
    exec(compile(source(*bugs), patient.__file__, "exec"), code.__dict__)
    return code


def source(*bugs: Bug) -> str:
    """The text of `planted(*bugs)`."""
    lines = inspect.getsource(patient).splitlines()
    for bug in bugs:
        found = [k for k, line in enumerate(lines) if line.strip() == bug.sound]
        if len(found) != 1:
            raise ValueError(f"need the line {bug.sound!r} once in the patient, but it is there {len(found)} times.")
        lines[found[0]] = lines[found[0]].replace(bug.sound, bug.sick)
    return "\n".join(lines) + "\n"


def diff(bug: Bug) -> str:
    """What changes in the patient, as `diff -U0` shows it: the line that goes and the line that comes."""
    there, here = (text.splitlines() for text in (source(), source(bug)))
    changed = [line for line in unified_diff(there, here, n=0, lineterm="") if line[:3] not in ("---", "+++")]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in changed if line[0] in "+-")
