"""Arrays from anywhere: what would fill the memory, or run code, is refused before it is loaded."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from vnnbench.errors import ResultsError
from vnnbench.instances import npz
from vnnbench.instances.npz import read_arrays


def npy(descr: str, shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return buffer.getvalue()


def refused(tmp_path, data: bytes) -> str:
    path = tmp_path / "a.npz"
    with pytest.raises(ResultsError) as caught:
        read_arrays(data, str(path), ["x"], ResultsError)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_those_that_numpy_saved(tmp_path, order):
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], order=order)
    np.savez_compressed(tmp_path / "a.npz", x=x, y=np.array(3), z=np.array(["a", "bc"]), w=np.empty((0, 2)))
    read = read_arrays((tmp_path / "a.npz").read_bytes(), "a", ["z", "y", "x", "w"], ResultsError)
    assert list(read) == ["z", "y", "x", "w"]
    assert (read["x"] == x).all() and read["y"] == 3 and read["z"].tolist() == ["a", "bc"] and read["w"].shape == (0, 2)


def test_a_bomb_is_refused_before_it_is_unzipped(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MAX_ARRAY_BYTES", 1 << 20)
    tracemalloc.start()
    data = archive(("x.npy", npy("'<f8'", "(4194304,)", bytes(1 << 25))))
    tracemalloc.reset_peak()
    assert "more than 1048576" in refused(tmp_path, data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_a_bomb_that_lies_about_its_size_is_not_unzipped_further(tmp_path):
    data = archive(("x.npy", npy("'<f8'", "(4194304,)", bytes(1 << 25))))
    size = struct.pack("<I", len(npy("'<f8'", "(4194304,)")) + (1 << 25))
    assert data.count(size) == 2
    tracemalloc.start()
    assert "not a readable .npz" in refused(tmp_path, data.replace(size, struct.pack("<I", 100)))
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_without_a_limit_is_refused(tmp_path, method):
    assert "in a way that NumPy does not write" in refused(
        tmp_path, archive(("x.npy", npy("'<f8'", "()")), method=method)
    )


@pytest.mark.parametrize(
    ("descr", "shape"),
    [
        ("'<f8'", "(1099511627776,)"),
        ("'<f8'", "(4611686018427387904, 4)"),
        ("'<f8'", "(-1,)"),
        ("'<f8'", "(0, -1)"),
        ("'|O'", "(1,)"),
        ("[('a', '|O')]", "(1,)"),
        ("'<f8'", "(2,)"),
        ("'<f8'", "()" + " " * 20_000),
        ("(" * 5000, "()"),
        ("'<f8'", "(1L,)"),
    ],
)
def test_a_header_that_promises_something_else_is_refused(tmp_path, descr, shape):
    assert "not a readable .npz" in refused(tmp_path, archive(("x.npy", npy(descr, shape, bytes(8)))))


def test_an_array_must_be_there_once(tmp_path):
    assert "has 0 members x.npy" in refused(tmp_path, archive(("x", npy("'<f8'", "()", bytes(8)))))
    with pytest.warns(UserWarning, match="Duplicate"):
        data = archive(*[("x.npy", npy("'<f8'", "()", bytes(8)))] * 2)
    assert "has 2 members x.npy" in refused(tmp_path, data)
