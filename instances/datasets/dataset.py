"""Data sets of small grey images: scikit-learn's digits; MNIST and Fashion-MNIST from IDX files or from OpenML.

Pixels are float32 in [0, 1], one image per row, with the rows of the image one after the other. The order of the
training images is part of the data set: a problem identifies its image by its index there.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float32Array
from vnnbench.instances.errors import DataError
from vnnbench.instances.limits import MAX_IMAGES

UInt8Array = npt.NDArray[np.uint8]
Int64Array = npt.NDArray[np.int64]

N_CLASSES = 10
"""The number of classes of every data set here."""

DIGITS_TRAINING = 1500
"""The first 1,500 digits, in scikit-learn's order, are for training, the last 297 for testing: 27 to 33 per class."""

MNIST_SIDE = 28
MNIST_TRAINING = 60_000
"""The number of training images: OpenML's table holds these first, then the test images."""

DEBIAN_PACKAGES = {"fashion-mnist": "dataset-fashion-mnist"}
"""The packages of Debian that install the IDX files of a data set, in the folder DEBIAN_FOLDER/NAME."""
DEBIAN_FOLDER = Path("/usr/share/datasets")


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images `(n, side * side)`, float32 in [0, 1], and labels `(n,)`, int64 in 0..9; read-only arrays."""

    name: str
    side: int
    train_images: Float32Array
    train_labels: Int64Array
    test_images: Float32Array
    test_labels: Int64Array

    def __post_init__(self) -> None:
        for images, labels in ((self.train_images, self.train_labels), (self.test_images, self.test_labels)):
            if images.dtype != np.float32 or labels.dtype != np.int64:
                raise TypeError(f"images are {images.dtype} and labels {labels.dtype}, not float32 and int64")
            if images.shape != (len(labels), self.side**2):
                raise ValueError(f"images {images.shape} and labels {labels.shape} do not fit side {self.side}")
            images.setflags(write=False)
            labels.setflags(write=False)

    @property
    def n_inputs(self) -> int:
        return self.side**2

    @property
    def n_classes(self) -> int:
        return N_CLASSES


@dataclass(frozen=True, slots=True)
class _Source:
    """Images `(n, side, side)`, uint8, in their native size; `white` is the largest pixel value."""

    train_images: UInt8Array
    train_labels: UInt8Array
    test_images: UInt8Array
    test_labels: UInt8Array
    white: int


def load_dataset(name: str, side: int, data_folder: Path | None = None) -> Dataset:
    """Load the data set `name` with images of `side` x `side` pixels.

    `digits` comes with scikit-learn (native side 8); `mnist` and `fashion-mnist` (native side 28) are read from
    `data_folder`, which holds the four IDX files, gzipped or not, or a folder with the data set's name that does.
    Without a folder they come from the one of `DEBIAN_PACKAGES` if it is installed, else from OpenML. Images are
    resized as in SurrogateLIB (arXiv:2312.08074): PIL's bilinear filter on the 8-bit image, rounded to 8 bits, then
    divided by 255.

    Raises DataError when the name is unknown, a file is missing or broken, or OpenML cannot be reached, or where
    `check_data_folder` does, ValueError when side < 1.
    """
    if name not in _READERS:
        raise DataError(f"unknown data set {name!r}: known are {', '.join(sorted(_READERS))}")
    if side < 1:
        raise ValueError(f"side is {side}, it must be at least 1")
    check_data_folder(name, data_folder)
    source = _READERS[name](data_folder)
    return Dataset(
        name=name,
        side=side,
        train_images=_pixels(source.train_images, side, source.white),
        train_labels=source.train_labels.astype(np.int64),
        test_images=_pixels(source.test_images, side, source.white),
        test_labels=source.test_labels.astype(np.int64),
    )


def check_data_folder(name: str | None, data_folder: Path | None) -> None:
    """Check the folder of --data against the data set that is to be read from it, if any.

    Raises DataError: the data set is not read from files, or the folder is not a folder.
    """
    if data_folder is None:
        return
    if name is None or name not in _IDX_FILES:
        why = "there are no images to train on" if name is None else f"data set {name} comes with scikit-learn"
        raise DataError(f"--data {data_folder}: the folder is not needed, because {why}; leave the option out")
    if not data_folder.is_dir():
        what = "is not a folder" if data_folder.exists() else "no such folder"
        advice = f"--data must name a folder with the IDX files of {name}{_debian_advice(name)}"
        raise DataError(f"{data_folder}: {what}; {advice}")


def resize_images(images: UInt8Array, side: int) -> UInt8Array:
    """Resize `(n, rows, columns)` to `(n, side, side)` with PIL's bilinear filter, 15 microseconds per image."""
    from PIL import Image

    resized = np.empty((len(images), side, side), dtype=np.uint8)
    for image, small in zip(images, resized, strict=True):
        small[:] = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))
    return resized


def _pixels(images: UInt8Array, side: int, white: int) -> Float32Array:
    """Return float32 pixels in [0, 1] as torchvision's ToTensor does: the correctly rounded value / white."""
    n, native, _ = images.shape
    if side != native:
        if white != 255:
            images = np.rint(images * (255 / white)).astype(np.uint8)
            white = 255
        images = resize_images(images, side)
    pixels: Float32Array = images.reshape(n, side * side).astype(np.float32)
    pixels /= np.float32(white)
    return pixels


def _read_digits(_data_folder: Path | None) -> _Source:
    from sklearn.datasets import load_digits  # imported here: it takes a second, and not every command needs it

    digits = load_digits()
    images = digits.images.astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    train, test = slice(0, DIGITS_TRAINING), slice(DIGITS_TRAINING, None)
    return _Source(images[train], labels[train], images[test], labels[test], white=16)


def _read_mnist_like(name: str, data_folder: Path | None) -> _Source:
    if data_folder is None and name in DEBIAN_PACKAGES and (DEBIAN_FOLDER / name).is_dir():
        data_folder = DEBIAN_FOLDER
    if data_folder is None:
        from vnnbench.instances.datasets.openml import fetch_images

        advice = f"give --data DIR, the folder of its four IDX files{_debian_advice(name)}"
        images, labels = fetch_images(name, advice)
        train, test = slice(0, MNIST_TRAINING), slice(MNIST_TRAINING, None)
        return _Source(images[train], labels[train], images[test], labels[test], white=255)
    folder = _idx_folder(data_folder, name)
    advice = f"--data must name the folder of the four IDX files{_debian_advice(name)}"
    train_images, train_labels = _read_idx_pair(folder, "train", advice)
    test_images, test_labels = _read_idx_pair(folder, "t10k", advice)
    return _Source(train_images, train_labels, test_images, test_labels, white=255)


_IDX_FILES = ("mnist", "fashion-mnist")
_READERS: dict[str, Callable[[Path | None], _Source]] = {
    "digits": _read_digits,
    **{name: partial(_read_mnist_like, name) for name in _IDX_FILES},
}


def _debian_advice(name: str) -> str:
    """Return how to install the IDX files of a data set, as the end of a message; empty if no package has them."""
    return f"; Debian has them: apt install {DEBIAN_PACKAGES[name]}" if name in DEBIAN_PACKAGES else ""


def _idx_folder(data_folder: Path, name: str) -> Path:
    """Return `data_folder/name` if it exists (several data sets use the same file names), else `data_folder`."""
    if (data_folder / name).is_dir():
        return data_folder / name
    if (other := data_folder.resolve().name) in _READERS and other != name:
        raise DataError(
            f"{data_folder}: is the folder of {other} by its name, not of {name}; --data must name the folder above it"
        )
    return data_folder


def _read_idx_pair(folder: Path, part: str, advice: str) -> tuple[UInt8Array, UInt8Array]:
    images_path = _idx_file(folder, f"{part}-images-idx3-ubyte", advice)
    labels_path = _idx_file(folder, f"{part}-labels-idx1-ubyte", advice)
    images = _read_idx(images_path, (MNIST_SIDE, MNIST_SIDE))
    labels = _read_idx(labels_path, ())
    if len(images) != len(labels):
        raise DataError(f"{labels_path}: {len(labels)} labels, but {images_path.name} has {len(images)} images")
    if labels.max() >= N_CLASSES:
        raise DataError(f"{labels_path}: holds the label {labels.max()}; labels must be 0 to {N_CLASSES - 1}")
    return images, labels


def _idx_file(folder: Path, name: str, advice: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder / name}[.gz]: no such file; {advice}")


def _read_idx(path: Path, item_shape: tuple[int, ...]) -> UInt8Array:
    """Read an IDX file of unsigned bytes: magic 0, 0, 8, ndim; one big-endian uint32 per dimension; the items."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            count = _idx_count(path, file.read(4 * (2 + len(item_shape))), item_shape)
            n_bytes = count * math.prod(item_shape)
            items = file.read(n_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({_one_line(error)}); get the file again") from error
    if len(items) != n_bytes:
        found = f"only {len(items)}" if len(items) < n_bytes else "more"
        raise DataError(f"{path}: holds {found} bytes of data, but its header claims {n_bytes}; get the file again")
    return np.frombuffer(items, np.uint8).reshape(count, *item_shape)


def _idx_count(path: Path, header: bytes, item_shape: tuple[int, ...]) -> int:
    """Check the header before its numbers are used to allocate memory, and return the number of items."""
    magic = bytes((0, 0, 8, 1 + len(item_shape)))
    if header[:4] != magic:
        raise DataError(
            f"{path}: starts with {header[:4].hex() or 'nothing'}, but such an IDX file starts with {magic.hex()}"
        )
    if len(header) < 4 * (2 + len(item_shape)):
        raise DataError(f"{path}: ends within its header; get the file again")
    count, *shape = np.frombuffer(header, ">u4", offset=4).tolist()
    if tuple(shape) != item_shape:
        raise DataError(
            f"{path}: holds images of {shape[0]} x {shape[1]} pixels; they must be {MNIST_SIDE} x {MNIST_SIDE}"
        )
    if not 1 <= count <= MAX_IMAGES:
        raise DataError(f"{path}: claims {count} items; there must be 1 to {MAX_IMAGES}")
    return int(count)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
