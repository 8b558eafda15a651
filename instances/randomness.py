"""Random draws that stay the same forever: raw bits of PCG64, which numpy promises to keep, keyed by a text.

numpy's distributions may change between versions, and so would every file that hangs on them.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt


def random_bits(key: str) -> np.random.PCG64:
    """The bit generator of a key: the same key gives the same bits, another key independent ones."""
    return np.random.PCG64(int.from_bytes(hashlib.sha256(f"vnnbench/{key}".encode()).digest(), "big"))


def random_permutation(key: str, n: int) -> npt.NDArray[np.int64]:
    """A permutation (n,), fixed by key and n."""
    return np.argsort(random_bits(key).random_raw(n), kind="stable").astype(np.int64)
