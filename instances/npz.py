"""Reading the arrays of a .npz file from any source: they are checked before they are loaded, and never unpickled."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from vnnbench.instances.limits import MAX_ARRAY_BYTES


def read_arrays(data: bytes, source: str, names: Sequence[str], error: type[Exception]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of these names in the bytes of `source`, read-only.

    Raises `error`, in one line, when the bytes are not a .npz file, an array is missing or occurs twice, contains
    Python objects or does not fill its shape, or the arrays have more than `MAX_ARRAY_BYTES`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, warnings.catch_warnings(action="error"):
            if not data.startswith(b"PK"):
                raise _UnfitError("there are other bytes before the archive")
            members = [_member(archive, f"{name}.npy") for name in names]
            n_bytes = sum(member.file_size for member in members)
            if n_bytes > MAX_ARRAY_BYTES:
                raise _UnfitError(f"it unzips to {n_bytes} bytes, more than {MAX_ARRAY_BYTES}")
            return {name: _array(archive, member) for name, member in zip(names, members, strict=True)}
    except _UnfitError as problem:
        raise error(f"{source}: not a readable .npz ({problem})") from problem
    except Exception as problem:  # numpy and zipfile raise a dozen types for a file that is not what it should be
        raise error(f"{source}: not a readable .npz ({type(problem).__name__})") from problem


class _UnfitError(Exception):
    """An error whose message says what is wrong with the file."""


def _member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if member.filename == name]
    if len(members) != 1:
        raise _UnfitError(f"it has {len(members)} members {name}, it must have one")
    if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others have no limit in zipfile
        raise _UnfitError(f"its member {name} is compressed in a way that NumPy does not write")
    return members[0]


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(member) as file:
        data = file.read(member.file_size)  # without a number it unzips up to 2 GiB, whatever the archive says
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
    shape, by_columns, dtype = read_header(stream)
    n_bytes = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or min(shape, default=0) < 0 or n_bytes != len(data) - stream.tell():
        raise _UnfitError(f"its member {member.filename} contains Python objects or does not fill its shape")
    flat = np.ndarray(math.prod(shape), dtype, data, stream.tell())
    return flat.reshape(shape, order="F" if by_columns else "C")
