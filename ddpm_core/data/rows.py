"""The pictures of a source as rows of one array: decoded, prepared, and all of one size and colour, or refused."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from ddpm_core.data import decoding
from ddpm_core.data.listing import Contents
from ddpm_core.data.preparation import CHANNELS, NAMES, Preparation


@dataclass(frozen=True)
class Rows:
    """uint8 (C, H, W) of each picture, in order; where names the source in a sentence."""

    contents: Contents
    prepared: Preparation
    where: str

    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W), as the first picture has it. Raises ValueError if there is none, or it does not decode."""
        for where, raw in self.contents.raw():
            return self.contents.count, *self._row(raw, where).shape
        raise ValueError(f"need at least one image, but {self.where} holds none.")

    def __iter__(self) -> Iterator[np.ndarray]:
        """Raises ValueError in one sentence: for a picture that does not decode, or is not like the first."""
        first = None
        for where, raw in self._watched("reading images"):
            row = self._row(raw, where)
            first = row.shape if first is None else first
            if row.shape != first:
                break
            yield row
        else:
            return
        raise ValueError(self._mixed())

    def _row(self, raw: bytes | np.ndarray | None, where: str) -> np.ndarray:
        pixels = np.asarray(self.prepared(decoding.decode(raw, where)))
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)) if pixels.ndim == 3 else pixels[None]

    def _watched(self, what: str) -> Iterator[tuple[str, bytes | np.ndarray | None]]:
        return tqdm(
            self.contents.raw(), what, self.contents.count, unit=" images", mininterval=0.5, delay=1, leave=False
        )

    def _mixed(self) -> str:
        """What sizes and colours there are, with how many of each and one of them, and what would take them all."""
        sizes, colours = {}, {}
        for where, raw in self._watched("looking at sizes and colours"):
            height, width, mode = decoding.shape(raw, where)
            sizes.setdefault((height, width), []).append(where)
            colours.setdefault(NAMES[CHANNELS[mode]], []).append(where)
        found, take = [], Preparation(self.prepared.size, self.prepared.colour)
        if self.prepared.size is None and len(sizes) > 1:
            sides = sorted(min(size) for size, wheres in sizes.items() for _ in wheres)
            take = Preparation(min(64, 1 << sides[len(sides) // 2].bit_length() - 1), take.colour)
            found += _counted({f"{height}x{width}": wheres for (height, width), wheres in sizes.items()})
        if self.prepared.colour is None and len(colours) > 1:
            with_alpha = 2 * len(colours.get("rgba", [])) > self.contents.count
            take = Preparation(take.size, "rgba" if with_alpha else "rgb")
            found += _counted(colours)
        options = {key: value for key, value in take.plain().items() if value is not None}
        return (
            f"need images of one size and colour, but {self.where} holds {', '.join(found)}; "
            f"{' '.join(f'--{key} {value}' for key, value in options.items())} takes them all (in Python "
            f"{', '.join(f'{key}={value!r}' for key, value in options.items())})."
        )


def _counted(kinds: dict[str, list[str]], most: int = 5) -> list[str]:
    """How many there are of each kind, the most frequent first, and one of them; of very many kinds not all."""
    by_number = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    listed = [f"{len(wheres):,} of {kind} ({wheres[0]})" for kind, wheres in by_number[:most]]
    rest = sum(len(wheres) for _, wheres in by_number[most:])
    return listed + ([f"{rest:,} of {len(kinds) - most} other sizes"] if rest else [])
