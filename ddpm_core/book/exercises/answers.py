"""How a check looks at an answer: it reads a number or a tensor and compares it with the right one and with mistakes.

Whatever is read raises NotYet, with a sentence for the reader, where the answer is something else.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ddpm_core.book.exercises.exercise import NotYet, require
from ddpm_core.diffusion.noise import seeded


def number(answer: object) -> float:
    """The answer as a number: a Python number, or a tensor or array that holds one."""
    try:
        if isinstance(answer, bool | str):
            raise TypeError
        return float(answer)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise NotYet(f"the answer should be a number, but it is {_kind(answer)}.") from None


def whole(answer: object) -> int:
    """The answer as a whole number."""
    got = number(answer)
    require(got.is_integer(), f"the answer should be a whole number, but it is {got:g}.")
    return int(got)


def pair(answer: object, first: str, second: str) -> tuple[float, float]:
    """The answer as two numbers."""
    two = isinstance(answer, tuple | list | Tensor) and getattr(answer, "ndim", 1) > 0 and len(answer) == 2
    require(two, f"return two values: {first} and {second}.")
    sizes = tuple(part.numel() if torch.is_tensor(part) else 1 for part in answer)
    require(sizes == (1, 1), f"{first} and {second} should be one number each, but hold {sizes[0]} and {sizes[1]}.")
    return number(answer[0]), number(answer[1])


def tensor(answer: object, what: str, like: Tensor) -> Tensor:
    """The answer as a float64 tensor shaped like another."""
    shaped = torch.is_tensor(answer) and answer.shape == like.shape
    require(shaped, f"return {what}: a tensor of shape {tuple(like.shape)}, not {_kind(answer, 'one')}.")
    return answer.double()


def same(a: object, b: object, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Whether two numbers or tensors are equal, but for what single precision may lose on the way."""
    return torch.allclose(*(torch.as_tensor(x, dtype=torch.float64) for x in (a, b)), rtol=rtol, atol=atol)


def within(distance: float) -> Callable[[object, object], bool]:
    """A `same` for answers that may be so far apart."""
    return partial(same, rtol=0, atol=distance)


def expect(got: object, right: object, mistakes: dict[str, object], otherwise: str, same: Callable = same) -> None:
    """Raise NotYet unless the answer is right: with the hint of the mistake that leads to it, if it is a known one."""
    if same(got, right):
        return
    for hint, wrong in mistakes.items():
        require(not same(got, wrong), hint)
    finite = torch.as_tensor(got, dtype=torch.float64).isfinite().all()
    require(bool(finite), "your answer is infinite or nan: does it divide by zero, or take the root of a negative?")
    raise NotYet(otherwise)


def farthest(right: Tensor, got: Tensor) -> tuple[float, float]:
    """The two numbers in the place where an answer is farthest from the right one."""
    k = int((right - got).abs().argmax())
    return right.flatten()[k].item(), got.flatten()[k].item()


def noise(seed: int, *shape: int) -> Tensor:
    """Normal numbers in float64; the first axis may be unpacked into several pictures."""
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def _kind(answer: object, tensor: str = "a tensor") -> str:
    return f"{tensor} of shape {tuple(answer.shape)}" if torch.is_tensor(answer) else type(answer).__name__
