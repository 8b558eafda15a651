"""Random draws that never change: raw bits of PCG64, which numpy promises to keep, keyed by a text.

numpy's distributions may change between versions, and with them every file that depends on them.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array


def random_bits(key: str) -> np.random.PCG64:
    """Return the bit generator of a key: the same key gives the same bits, another key independent ones."""
    return np.random.PCG64(int.from_bytes(hashlib.sha256(f"vnnbench/{key}".encode()).digest(), "big"))


def unit_interval(key: str, n: int) -> Float64Array:
    """Return draws (n,) from [0, 1), multiples of 2**-53, fixed by the key."""
    return (random_bits(key).random_raw(n) >> 11).astype(np.float64) * 2.0**-53


def random_permutation(key: str, n: int) -> npt.NDArray[np.int64]:
    """Return a permutation (n,), fixed by key and n."""
    return np.argsort(random_bits(key).random_raw(n), kind="stable").astype(np.int64)
