"""Steps of a scripted solver that use memory, disk or processor time where it is hard to see."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MIB = 1 << 20
_BLOCK = b"x" * _MIB
_held: list[Any] = []


def _fill(descriptor: int, mebibytes: int) -> int:
    for _ in range(mebibytes):
        os.write(descriptor, _BLOCK)
    return descriptor


def _unlinked(_: Any, folder: str, mebibytes: int) -> None:
    """Fill a file that lost its name before it is written."""
    path = Path(folder, "vnnbench-unlinked")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    path.unlink()
    _held.append(_fill(descriptor, mebibytes))


def _nameless(_: Any, mebibytes: int) -> None:
    """Fill a file that never had a name."""
    _held.append(_fill(os.open(".", os.O_RDWR | os.O_TMPFILE), mebibytes))


def _thread_files(_: Any, mebibytes: int) -> None:
    """Fill a file that only one thread has open, which does not share the descriptors of the others."""
    done = threading.Event()

    def work() -> None:
        ctypes.PyDLL(None).unshare(0x400)  # CLONE_FILES; CDLL may have been made to refuse it
        _unlinked(None, ".", mebibytes)
        done.set()
        time.sleep(3600)

    threading.Thread(target=work, daemon=True).start()
    done.wait()


def _mapped(_: Any, mebibytes: int) -> None:
    """Fill a file that is mapped, but neither has a name nor is open."""
    path = Path("mapped")
    with path.open("w+b") as file:
        _fill(file.fileno(), mebibytes)
        file.flush()
        _held.append(mmap.mmap(file.fileno(), mmap.PAGESIZE))
    for link in list(Path("/proc/self/fd").iterdir()):  # Python's mmap keeps one
        if link.exists() and link.samefile(path):
            os.close(int(link.name))
    path.unlink()


def _memfd(_: Any, mebibytes: int) -> None:
    """Fill memory that no process has mapped."""
    _held.append(_fill(os.memfd_create("hoard"), mebibytes))


def _mapped_memfd(_: Any, mebibytes: int) -> None:
    """Fill a memfd that this process and a child of it have mapped completely."""
    descriptor = _fill(os.memfd_create("hoard"), mebibytes)
    held = mmap.mmap(descriptor, mebibytes * _MIB)
    if os.fork() == 0:
        _touch(held)
        time.sleep(3600)
    _touch(held)
    _held.append(held)


def _touch(held: mmap.mmap) -> None:
    for place in range(0, len(held), mmap.PAGESIZE):
        _ = held[place]


def _private_memfd(_: Any, mebibytes: int) -> None:
    """Fill the private mapping of a memfd: what is written there is the process's own."""
    descriptor = os.memfd_create("hoard")
    os.ftruncate(descriptor, mebibytes * _MIB)
    held = mmap.mmap(descriptor, mebibytes * _MIB, mmap.MAP_PRIVATE)
    for place in range(mebibytes):
        held[place * _MIB : (place + 1) * _MIB] = _BLOCK
    _held.append(held)


def _shm_file(_: Any, mebibytes: int) -> None:
    """Fill a file in /dev/shm that no process holds open."""
    with Path("/dev/shm/vnnbench-hoard").open("wb") as file:  # noqa: S108
        _fill(file.fileno(), mebibytes)


def _open_shm_file(_: Any, mebibytes: int) -> None:
    """Fill a file in /dev/shm that is open but has no name any more, so that it goes with the process."""
    _unlinked(_, "/dev/shm", mebibytes)  # noqa: S108


def _own_tmpfs(_: Any, mebibytes: int) -> None:
    """Fill a file system in memory that is mounted in a namespace of this process's own."""
    libc = ctypes.PyDLL(None)
    if libc.unshare(0x20000) or libc.mount(None, b"/", None, 0x4000 | 0x40000, None):
        raise PermissionError("no namespace of mounts")
    if libc.mount(b"tmpfs", b"/mnt", b"tmpfs", 0, None):
        raise PermissionError("no mount")
    with Path("/mnt/hoard").open("wb") as file:
        _fill(file.fileno(), mebibytes)


def _segment(_: Any, mebibytes: int) -> None:
    """Fill a System V segment that is attached nowhere."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    number = libc.shmget(0, ctypes.c_size_t(mebibytes * _MIB), 0o1600)
    if number < 0:
        raise OSError(ctypes.get_errno(), "shmget")
    place = libc.shmat(number, None, 0)
    ctypes.memset(place, 1, mebibytes * _MIB)
    libc.shmdt(ctypes.c_void_p(place))


def _files(_: Any, count: int) -> None:
    """Make empty files."""
    for number in range(count):
        Path(f"empty-{number}").touch()


def _sparse(_: Any, mebibytes: int) -> None:
    """Make a file that is one hole, under three names."""
    with Path("sparse").open("wb") as file:
        file.truncate(mebibytes * _MIB)
    for name in ("second", "third"):
        os.link("sparse", name)


def _burn_unseen(_: Any, count: int, seconds: float) -> None:
    """Work in children, one after the other, that the kernel reaps by itself."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _child in range(count):
        pid = os.fork()
        if pid == 0:
            while time.process_time() < seconds:  # every child has a processor clock of its own
                pass
            os._exit(0)
        while _is_there(pid):
            time.sleep(0.002)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _kill_monitor(_: Any) -> None:
    """Send SIGKILL to the parent of init."""
    after_name = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2]
    os.kill(int(after_name.split()[1]), signal.SIGKILL)


HOARDING: dict[str, Callable[..., None]] = {
    "unlinked": _unlinked,
    "nameless": _nameless,
    "thread_files": _thread_files,
    "mapped": _mapped,
    "memfd": _memfd,
    "mapped_memfd": _mapped_memfd,
    "private_memfd": _private_memfd,
    "shm_file": _shm_file,
    "open_shm_file": _open_shm_file,
    "own_tmpfs": _own_tmpfs,
    "segment": _segment,
    "files": _files,
    "sparse": _sparse,
    "burn_unseen": _burn_unseen,
    "kill_monitor": _kill_monitor,
}
