import errno
import gzip
import os
import socket
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest

from vnnbench.common.text import MAX_MESSAGE
from vnnbench.instances.errors import LibraryError, NetworkError
from vnnbench.instances.files import open_plain, read_bytes, read_plain, remove_folder, sha256, write_atomic


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


@pytest.mark.parametrize("what", ["pipe", "folder", "/dev/zero"])
def test_a_path_that_is_not_a_file_is_refused_without_waiting(tmp_path, what):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(LibraryError, match=f"{what}: is not a file; generate the library again"):
        read_bytes(tmp_path / what)
    for read in (open_plain, lambda path, error: read_plain(path, 100, error)):
        with pytest.raises(NetworkError, match=f"{what}: is not a file$"):
            read(tmp_path / what, NetworkError)


def test_where_a_pipe_is_taken_it_is_read_to_its_end(tmp_path):
    reading, writing = os.pipe()
    writer = threading.Timer(0.2, lambda: (os.write(writing, b"late"), os.close(writing)))
    writer.start()
    with open_plain(Path(f"/dev/fd/{reading}"), NetworkError, or_pipe=True) as file:
        assert file.read() == b"late"
    writer.join()
    os.close(reading)
    os.mkfifo(tmp_path / "without-writer")
    with open_plain(tmp_path / "without-writer", NetworkError, or_pipe=True) as file:
        assert file.read() == b""
    with pytest.raises(NetworkError, match="is not a file"):
        open_plain(Path("/dev/zero"), NetworkError, or_pipe=True)


def test_too_long_a_name_is_one_line(tmp_path):
    for read in (read_bytes, lambda path: read_plain(path, 100, LibraryError)):
        with pytest.raises(LibraryError, match="File name too long"):
            read(tmp_path / ("a" * 300))


def test_a_bomb_is_refused_at_the_limit(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(1 << 25)))
    tracemalloc.start()
    with pytest.raises(NetworkError, match="holds more than 1000000 bytes"):
        read_plain(tmp_path / "bomb.gz", 1_000_000, NetworkError)
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()


def test_a_high_limit_takes_no_memory(tmp_path):
    (tmp_path / "small").write_bytes(b"abc")
    tracemalloc.start()
    assert read_plain(tmp_path / "small", 1 << 40, NetworkError) == b"abc"
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_whatever_is_quoted_a_message_is_one_line_that_can_be_printed():
    message = str(NetworkError("a.onnx: " + "\x1b[31m\n\u2028" + "x" * 5000 + " is not supported"))
    assert message.startswith("a.onnx: \\x1b[31m\\n\\u2028xxx") and message.endswith("xxx is not supported")
    assert message.isprintable() and len(message) <= MAX_MESSAGE
    assert str(NetworkError(message)) == message


# -- removal -----------------------------------------------------------------------------------------------------------

REMOVE = """
import sys
from pathlib import Path
from vnnbench.instances.files import remove_folder
print(remove_folder(Path(sys.argv[1])))
"""


def fill(folder: Path) -> None:
    """Make a folder with what a file system can hold; some of it is closed to its owner."""
    (folder / "closed" / "sub").mkdir(parents=True)
    (folder / "closed" / "sub" / "file").write_text("x")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    (folder / os.fsdecode(b"\xff\xfe")).mkdir()
    (folder / os.fsdecode(b"\xff\xfe") / ("n" * 255)).touch()
    (folder / "dangling").symlink_to("nowhere")
    for closed in (folder / "closed" / "sub", folder / "closed", folder):
        closed.chmod(0)


def test_folder_is_removed_whatever_is_in_it_even_by_an_owner_who_is_not_root(tmp_path, monkeypatch, drop_capabilities):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    fill(Path("folder"))
    words = [sys.executable, "-c", REMOVE, str(tmp_path / "folder")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, preexec_fn=drop_capabilities)
    assert done.stdout == "True\n", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_folders_are_removed_deeper_than_paths_descriptors_and_recursion_go(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    for level in range(1500):
        Path("d").mkdir()
        Path("file").touch()
        os.chdir("d")
        if level % 100 == 0:
            Path("..").chmod(0)
    os.chdir(tmp_path)
    assert remove_folder(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_targets_of_links_are_not_removed_with_them(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    assert remove_folder(tmp_path / "folder") and remove_folder(tmp_path / "link")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


def test_a_path_that_is_not_a_folder_is_not_removed(tmp_path):
    (tmp_path / "file").touch()
    assert remove_folder(tmp_path / "file") and remove_folder(tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
