import errno
import os

import pytest

from instances.errors import LibraryError
from instances.files import read_bytes, sha256, write_atomic


def test_a_file_is_written_with_its_folders_and_replaced(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_atomic(path, b"first")
    write_atomic(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def full(_file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "file"
    write_atomic(path, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LibraryError, match=r"file: cannot be written \(No space left on device\)"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def interrupted(_file):
        raise KeyboardInterrupt

    write_atomic(tmp_path / "file", b"old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "file", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_errors_are_one_line_with_the_path(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LibraryError, match=r"file/below: cannot be written \((File exists|Not a directory)\)"):
        write_atomic(tmp_path / "file" / "below", b"")
    with pytest.raises(LibraryError, match="none: cannot be read"):
        read_bytes(tmp_path / "none")


def test_sha256_is_in_hex():
    assert sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
