"""What every public function here asks of its arguments, said once: an argument's name says what it must be.

x0, x_t, eps, ...   floating-point tensors (B, ...), all of one shape and on one device: nothing is broadcast unasked
t, t_prev, ...      tensors of whole times; how many, and how large, `at` sees to
anything else       what its annotation says

Only kinds, shapes and devices are looked at, never the numbers in a tensor, which on a GPU would wait for it. So nan in
an image comes out as nan; the trainer, `to_uint8` and the bound, which read every number anyway, refuse it.
"""

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

IMAGES = {"x", "x0", "x_t", "x_prev", "x_1", "x_T", "x0_hat", "eps", "z", "v", "score", "mean", "like", "output"}
ANY_KIND = {  # of tensors; the others hold floating-point numbers
    "t", "t_prev", "t_next", "times", "images", "labels", "rows", "a", "b", "drawn", "real", "known", "held_out",
}  # fmt: skip


def checked(function: Callable) -> Callable:
    """The same function, which raises ValueError for an argument that is not what its name or annotation says."""
    parameters = inspect.signature(function).parameters
    kinds = {name: parameter.annotation for name, parameter in parameters.items()}

    @functools.wraps(function)
    def call(*given, **named):
        arguments = dict(zip(parameters, given, strict=False)) | named
        for name, value in arguments.items():
            _check_kind(name, value, kinds.get(name, inspect.Parameter.empty))
        images = {name: x for name, x in arguments.items() if name in IMAGES and isinstance(x, Tensor)}
        if len(images) > 1:
            _check_alike(images)
        return function(*given, **named)

    return call


def same_shape(name: str, x: Tensor, other_name: str, other: Tensor) -> None:
    """Raises ValueError where a broadcast would silently make something else of the two."""
    if x.shape != other.shape:
        raise ValueError(
            f"need {other_name} shaped like {name}: {name} is {tuple(x.shape)}, {other_name} is {tuple(other.shape)}."
        )


def in_range(name: str, value: float, least: float, most: float = math.inf) -> None:
    """Raises ValueError for a number below `least` or above `most`."""
    if not least <= value <= most:
        room = f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        raise ValueError(f"need {name} {room}, but got {value:g}.")


def all_numbers(**tensors: Tensor) -> None:
    """Raises ValueError for nan or infinity, for functions that read every number anyway."""
    for name, x in tensors.items():
        if x.is_floating_point() and not x.isfinite().all():
            raise ValueError(f"need finite numbers in {name}, but {(~x.isfinite()).float().mean():.0%} of it are none.")


def together(**tensors: Tensor | float) -> None:
    """Raises ValueError for tensors that do not go together element by element, as a picture (B, C, H, W) and its
    variance (B, 1, 1, 1) do."""
    (name, first), *others = tensors.items()
    for other_name, other in others:
        if not isinstance(other, Tensor):
            continue
        try:
            torch.broadcast_shapes(first.shape, other.shape)
        except RuntimeError as error:
            shapes = f"{name} is {tuple(first.shape)}, {other_name} is {tuple(other.shape)}"
            raise ValueError(f"need {other_name} of a shape that goes with that of {name}: {shapes}.") from error
        if first.device != other.device:
            raise ValueError(f"need {name} and {other_name} on one device, but got {first.device} and {other.device}.")


def whole_times(times: Sequence[int]) -> list[int]:
    """The times as a list. Raises ValueError if there is none, or if they are not whole numbers."""
    road = list(times)
    if not road or not all(math.isfinite(t) and t == int(t) for t in road):
        raise ValueError(f"need times that are whole numbers, one at least, but got {road!s:.60}.")
    return [int(t) for t in road]


def _check_alike(images: dict[str, Tensor]) -> None:
    name = next((name for name in ("x_t", "x_1") if name in images), next(iter(images)))
    for other_name, other in images.items():
        same_shape(name, images[name], other_name, other)
        if other.device != images[name].device:
            there, here = images[name].device, other.device
            raise ValueError(f"need {other_name} where {name} is, on {there}, but it is on {here}.")


def _check_kind(name: str, value: object, kind: Any) -> None:
    if kind is inspect.Parameter.empty:
        if name not in IMAGES:
            return
        kind = Tensor
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if not any(_is(name, value, kind) for kind in kinds):
        wanted = " or ".join(_words(name, kind) for kind in kinds if kind is not types.NoneType)
        raise ValueError(f"need {name} as {wanted}, but got {_described(value)}.")


def _is(name: str, value: object, kind: Any) -> bool:
    if kind is Tensor:
        return isinstance(value, Tensor) and (name in ANY_KIND or value.is_floating_point())
    if kind in (int, float):
        number = isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
        return number and math.isfinite(value)
    origin = typing.get_origin(kind) or kind
    if origin is Callable:
        return callable(value)
    if origin in (Sequence, tuple):
        return hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, str)
    return isinstance(value, origin) if isinstance(origin, type) else True


def _words(name: str, kind: Any) -> str:
    plain = {int: "a whole number", float: "a finite number", str: "text", bool: "True or False"}
    if kind is Tensor:
        return "a tensor" if name in ANY_KIND else "a tensor of floating-point numbers"
    return plain.get(kind) or f"a {getattr(typing.get_origin(kind) or kind, '__name__', kind)}"


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    plain = value is None or isinstance(value, bool | int | float | str)
    return f"{value!r:.60}" if plain else f"a {type(value).__name__}"
