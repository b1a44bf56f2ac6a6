"""Words on a figure: a short formula as text with raised and lowered parts, so that any font can set it.

matplotlib places each sign of a formula by the widths of its own font. As text with indices, `loss of $x_t$` follows
the font of the page that it stands on.
"""

import re
from dataclasses import dataclass, replace

SIGNS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "varsigma": "ς", "tau": "τ", "phi": "ϕ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "ell": "ℓ",
}  # fmt: skip
UPRIGHT = {
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
    "log": "log\u2009", "ln": "ln\u2009", "exp": "exp\u2009", "min": "min\u2009", "max": "max\u2009", "infty": "∞",
    "partial": "∂", "nabla": "∇", "sum": "∑", "prod": "∏", "int": "∫", "ldots": "…", "cdots": "⋯", "prime": "′",
    "|": "‖", "{": "{", "}": "}", "%": "%", "$": "$", "&": "&", "#": "#", "_": "_", "circ": "°", "left": "",
    "right": "", "quad": "\u2003", ",": "\u2009", ";": "\u2005", ":": "\u2005", " ": " ", "!": "",
}  # fmt: skip
RELATIONS = {
    "=": "=", "+": "+", "-": "−", "<": "<", ">": ">", "mid": "|", "times": "×", "cdot": "·", "approx": "≈", "leq": "≤",
    "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "pm": "±", "sim": "∼", "to": "→", "rightarrow": "→", "gets": "←",
    "propto": "∝", "ll": "≪", "gg": "≫", "in": "∈",
}  # fmt: skip
ACCENTS = {"bar": "\u0304", "hat": "\u0302", "tilde": "\u0303", "dot": "\u0307", "vec": "\u20d7"}
ACCENTS |= {"overline": "\u0304", "widehat": "\u0302", "widetilde": "\u0303"}
ROMAN = {"mathrm", "mathdefault", "text", "mathregular", "operatorname", "mathsf", "rm"}
_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\s+|.")
_NO_OPERAND_BEFORE = "([{|,=+−<>×·≈≤≥→" + "\u2009"


@dataclass(frozen=True)
class Run:
    """Some letters of one look. script: 0 on the line, -1 lowered, 1 raised."""

    text: str
    italic: bool = False
    bold: bool = False
    script: int = 0


def runs(words: str) -> list[Run]:
    """Words with formulas between dollar signs, as runs of letters of one look.

    Knows letters, Greek, indices, accents, roots, plain fractions. Raises ValueError for any other command.
    """
    found = []
    for k, part in enumerate(re.split(r"(?<!\\)\$", words)):
        found += _formula(part) if k % 2 else [Run(part.replace(r"\$", "$"))]
    return _merged(found)


def plain(words: str) -> str:
    """The letters of some words with formulas, without their looks; as they stand where a command isn't known."""
    try:
        return "".join(run.text for run in runs(words))
    except ValueError:
        return words


def _formula(source: str) -> list[Run]:
    tokens = _TOKEN.findall(source)
    found = _sequence(tokens, Run(""), end=False)
    if tokens:
        raise ValueError(f"a bracket closes that never opened: {source!r}.")
    return found


def _sequence(tokens: list[str], look: Run, end: bool) -> list[Run]:
    """What stands up to the closing brace, or to the end of all tokens, which it takes away from their front."""
    found = []
    while tokens and tokens[0] != "}":
        found += _atom(tokens, look, before="".join(run.text for run in found))
    if end:
        if not tokens:
            raise ValueError("a bracket opens that never closes.")
        tokens.pop(0)
    return found


def _atom(tokens: list[str], look: Run, before: str = "") -> list[Run]:
    """The next thing that an index or an accent would belong to."""
    if not tokens:
        raise ValueError("something is missing at the end of a formula.")
    token = tokens.pop(0)
    name = token[1:] if token.startswith("\\") else token
    if token == "{":
        return _sequence(tokens, look, end=True)
    if token in ("_", "^"):
        return _atom(tokens, replace(look, script=-1 if token == "_" else 1))
    if token.isspace():
        return []
    if name in RELATIONS and (len(token) > 1 or token in "=+-<>"):
        alone = look.script or not before.strip() or (name in "+-" and before[-1] in _NO_OPERAND_BEFORE)
        space = "" if alone else "\u2009"
        return [replace(look, text=space + RELATIONS[name] + space)]
    if not token.startswith("\\"):
        return [replace(look, text=token, italic=token.isalpha())]
    if name in SIGNS:
        return [replace(look, text=SIGNS[name], italic=True)]
    if name in UPRIGHT:
        return [replace(look, text=UPRIGHT[name])]
    if name in ROMAN:
        return [replace(run, italic=False) for run in _atom(tokens, look)]
    if name in ("mathbf", "boldsymbol", "mathit"):
        return [replace(run, bold=name != "mathit", italic=name != "mathbf") for run in _atom(tokens, look)]
    if name in ACCENTS:
        return [replace(run, text="".join(c + ACCENTS[name] for c in run.text)) for run in _atom(tokens, look)]
    if name == "sqrt":
        return [replace(look, text="√"), *_grouped(_atom(tokens, look), look)]
    if name == "frac":
        top, bottom = _atom(tokens, look), _atom(tokens, look)
        return [*_grouped(top, look), replace(look, text="/"), *_grouped(bottom, look)]
    raise ValueError(f"no way to set {token} as text.")


def _grouped(inner: list[Run], look: Run) -> list[Run]:
    """In brackets, where it is more than one thing."""
    if len("".join(run.text for run in inner)) <= 1:
        return inner
    return [replace(look, text="("), *inner, replace(look, text=")")]


def _merged(found: list[Run]) -> list[Run]:
    merged: list[Run] = []
    for run in found:
        if merged and replace(merged[-1], text="") == replace(run, text=""):
            merged[-1] = replace(run, text=merged[-1].text + run.text)
        elif run.text:
            merged.append(run)
    return merged
