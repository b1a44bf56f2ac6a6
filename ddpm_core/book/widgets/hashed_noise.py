"""Standard normal numbers that a script on a page makes as well, so that none have to be sent: normals.js."""

import numpy as np


def normals(n: int) -> np.ndarray:
    """n independent numbers from N(0, 1), always the same.

    Box and Muller's formula for uniform numbers, which are a hash of 1, 2, 3, ...
    """
    uniform = (_hash(np.arange(1, 2 * n + 1, dtype=np.uint32)).astype(np.float64) + 0.5) / 2**32
    return np.sqrt(-2 * np.log(uniform[::2])) * np.cos(2 * np.pi * uniform[1::2])


def _hash(i: np.ndarray) -> np.ndarray:
    """Whole numbers of 32 bits, mixed until none shows where it came from (Wellons's lowbias32)."""
    i = (i ^ (i >> 16)) * np.uint32(0x21F0AAAD)
    i = (i ^ (i >> 15)) * np.uint32(0x735A2D97)
    return i ^ (i >> 15)
