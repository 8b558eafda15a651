"""Data sets from OpenML, through scikit-learn: its download, its checksum, its cache on disk.

The cache is ~/scikit_learn_data, or the folder that SCIKIT_LEARN_DATA names. Images and labels of MNIST and
Fashion-MNIST come in OpenML's order, which is that of the original files: 60,000 training images, then 10,000 test
images. For tables see `openml_tables`.
"""

from __future__ import annotations

import warnings
from http.client import HTTPException
from typing import Any

import numpy as np
import numpy.typing as npt

from vnnbench.instances.errors import DataError

SIDE, N_IMAGES, N_CLASSES = 28, 70_000, 10

_OPENML = {"mnist": ("mnist_784", 1), "fashion-mnist": ("Fashion-MNIST", 1)}
"""Name and version at OpenML; a version never changes."""


def fetch_images(name: str, advice: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return images (70000, 28, 28) and labels (70000,) of `mnist` or `fashion-mnist`.

    Raises DataError, which ends in `advice`, if they are neither in the cache nor can be downloaded, or if shape or
    values are wrong.
    """
    title, version = _OPENML[name]
    pixels, labels = fetch(name, advice, name=title, version=version, as_frame=False, return_X_y=True)
    images = _whole(name, pixels, (N_IMAGES, SIDE**2), 255, advice).reshape(-1, SIDE, SIDE)
    return images, _whole(name, labels, (N_IMAGES,), N_CLASSES - 1, advice)


def fetch(dataset: str, advice: str, **which: Any) -> Any:
    """Return what scikit-learn's `fetch_openml` returns for `which`.

    Raises DataError, which names the data set and ends in `advice`: it is neither in the cache nor can be downloaded.
    """
    from sklearn.datasets import fetch_openml  # imported here: it takes a second, and not every command needs it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # each retry warns; the last failure is an error with all facts
            return fetch_openml(**which, n_retries=1, delay=1.0)
    except (OSError, HTTPException, ValueError, KeyError) as error:  # no network, a wrong checksum, a broken cache
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"data set {dataset!r} cannot be fetched from OpenML ({reason}); {advice}") from error


def _whole(name: str, numbers: Any, shape: tuple[int, ...], largest: int, advice: str) -> npt.NDArray[np.uint8]:
    """Return the numbers as bytes after checking that they are whole, in 0..largest, and of this shape."""
    found = np.asarray(numbers)
    try:
        if found.dtype.kind not in "iuf":
            found = found.astype(np.float64)  # labels come as text
    except ValueError:
        found = np.full(1, np.nan)
    if found.shape != shape or not ((found >= 0) & (found <= largest) & (found == np.rint(found))).all():
        raise DataError(
            f"data set {name!r} from OpenML does not hold {shape} whole numbers from 0 to {largest}; {advice}"
        )
    return found.astype(np.uint8)
