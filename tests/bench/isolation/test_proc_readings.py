"""Readings of /proc, compared with processes whose use is known."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from vnnbench.isolation.proc_readings import (
    Apart,
    MachineLoad,
    ProcessTimes,
    _busy_seconds,
    descendants,
    given_back_bytes,
    proportional_bytes,
    resident_bytes,
)

pytestmark = pytest.mark.alone

EXIT_OF_A_THREAD = {"x86_64": 60, "aarch64": 93}

MIB = 1 << 20


@pytest.fixture
def python() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """A function that starts a Python program and returns when it has printed a line."""
    started = []

    def start(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.first_line = process.stdout.readline()  # type: ignore[attr-defined]
        started.append(process)
        return process

    yield start
    for process in started:
        for pid in descendants(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.communicate()


def descendants_when(pid: int, count: int) -> list[int]:
    """Return the descendants of a process once there are so many."""
    deadline = time.monotonic() + 60
    while len(found := descendants(pid)) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(found) == count
    return found


def test_shared_pages_are_counted_once_over_all_processes(python):
    code = (
        "import os, time; b = bytearray(b'x' * (96 << 20)); [os.fork() for _ in range(2)]; print(1, flush=True); "
        "time.sleep(60)"
    )
    parent = python(code).pid
    family = [parent, *descendants_when(parent, 3)]
    assert 96 * MIB < sum(map(proportional_bytes, family)) < 160 * MIB
    assert sum(map(resident_bytes, family)) > 4 * 96 * MIB


def test_descendants_are_found_through_threads_and_generations(python):
    code = (
        "import os, threading, time\n"
        "def work():\n"
        "    if os.fork() == 0:\n"
        "        if os.fork() == 0: os.setsid()\n"
        "        time.sleep(60)\n"
        "    time.sleep(60)\n"
        "threading.Thread(target=work).start(); print(1, flush=True)\n"
    )
    pid = python(code).pid
    found = descendants_when(pid, 2)
    assert pid not in found
    assert descendants(found[0]) == [found[1]]


def test_processor_time_counts_children_that_were_waited_for(python):
    burn = "t = time.process_time()\nwhile time.process_time() - t < 0.4: pass\n"
    child = f"if os.fork() == 0:\n    exec({burn!r}); os._exit(0)\n"
    process = python(f"import os, time\n{child}os.wait(); print(1, flush=True); time.sleep(60)")
    times = ProcessTimes.of(process.pid)
    assert 0.39 <= times.children_seconds < 1.0
    assert times.own_seconds < 1.0


def test_mappings_that_are_counted_elsewhere_are_left_out(python):
    """Shared mappings are counted elsewhere; what is written to a private mapping is the process's own."""
    code = (
        "import mmap, os, time\n"
        "shared, private = os.memfd_create('s'), os.memfd_create('p')\n"
        "for d in (shared, private): os.truncate(d, 32 << 20)\n"
        "s, p = mmap.mmap(shared, 32 << 20), mmap.mmap(private, 32 << 20, mmap.MAP_PRIVATE)\n"
        "for m in (s, p): m[:] = b'x' * (32 << 20)\n"
        "print(*(f'{os.fstat(d).st_dev}:{os.fstat(d).st_ino}' for d in (shared, private)), flush=True); time.sleep(60)"
    )
    process = python(code)
    files = frozenset(tuple(map(int, word.split(":"))) for word in process.first_line.split())
    whole, less = proportional_bytes(process.pid), proportional_bytes(process.pid, Apart(files))
    assert 31 * MIB < whole - less < 33 * MIB
    assert less == pytest.approx(
        proportional_bytes(process.pid, Apart(devices=frozenset(d for d, _ in files))), abs=MIB
    )


def test_memory_that_was_freed_is_measured(python):
    process = python("import time; b = bytearray(b'x' * (64 << 20)); del b; print(1, flush=True); time.sleep(60)")
    assert 60 * MIB < given_back_bytes(process.pid) < 160 * MIB
    assert proportional_bytes(process.pid) < 40 * MIB


def test_memory_of_a_process_whose_first_thread_has_exited_counts(python):
    leave = f"ctypes.CDLL(None).syscall({EXIT_OF_A_THREAD[platform.machine()]}, 0)"
    process = python(
        "import ctypes, threading, time; b = bytearray(b'x' * (64 << 20))\n"
        "def live_on(): time.sleep(0.5); print(1, flush=True); time.sleep(60)\n"
        f"threading.Thread(target=live_on).start(); {leave}"
    )
    assert "Z" in Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2]
    assert 64 * MIB < resident_bytes(process.pid) < 200 * MIB
    assert 64 * MIB < proportional_bytes(process.pid) < 200 * MIB


def test_processes_that_have_ended_use_nothing(python):
    process = python("print(1, flush=True)")
    process.wait()
    subprocess.run(["true"], check=True)
    gone = 2**22 + 1  # beyond the largest process number
    assert (descendants(gone), resident_bytes(gone), proportional_bytes(gone)) == ([], 0, 0)
    assert ProcessTimes.of(gone) is None
    assert resident_bytes(process.pid) == 0


def test_load_is_that_of_the_given_cores():
    lines = ["cpu  9 9 9 9 9 9 9 9 9 9", "cpu0 100 20 3 5000 600 7 8 9 1000 0", "cpu1 1 0 0 0 0 0 0 0 0 0",
             "cpu10 5 0 0 0 0 0 0 0 0 0", "intr 1"]  # fmt: skip
    stat = "\n".join(lines)
    ticks = os.sysconf("SC_CLK_TCK")
    assert _busy_seconds(stat, [0]) * ticks == pytest.approx(100 + 20 + 3 + 7 + 8 + 9)
    assert _busy_seconds(stat, [1, 10]) * ticks == pytest.approx(6)
    assert _busy_seconds(stat, []) == 0


def test_machine_counters_go_up(python):
    core = min(os.sched_getaffinity(0))
    before = MachineLoad.now([core])
    burn = "t = time.process_time()\nwhile time.process_time() - t < 0.3: pass\n"
    python(f"import os, time; os.sched_setaffinity(0, [{core}])\n{burn}print(1, flush=True)")
    after = MachineLoad.now([core])
    assert after.core_seconds - before.core_seconds > 0.25
    assert after.swapped_bytes >= before.swapped_bytes
