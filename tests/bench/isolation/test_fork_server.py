"""A run is ended from outside when the process that holds it is stopped, and it has no rights over that process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import vnnbench.isolation.supervisor
from support.plays import log_of
from vnnbench.isolation.fork_server import NAMESPACE, SUBREAPER

SOON = 60
"""Seconds that a busy machine may need for a short task; the processes of these tests live for ever."""

TELL_RIGHTS = r"""
import ctypes, os, subprocess
holder = 1 if os.getpid() < 10 else os.getppid()
for request in (16, 0x4206):  # PTRACE_ATTACH, PTRACE_SEIZE
    assert ctypes.CDLL(None, use_errno=True).ptrace(request, holder, 0, 0) == -1
    print("errno", ctypes.get_errno(), flush=True)
subprocess.run(["cat", "/proc/self/status"])
print(open("/proc/self/status").read())
"""


def when_there(path: Path, act: Callable[[psutil.Process], Any]) -> threading.Thread:
    """Act on the init of the run whose daemon writes its number into a file, as soon as the file is there."""

    def wait() -> None:
        deadline = time.monotonic() + SOON
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        daemon = psutil.Process(int(path.read_text()))
        while (init := daemon.parent()) is not None and init.ppid() == os.getpid():  # its first parent still lives
            time.sleep(0.01)
        assert init is not None
        act(init)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def is_gone(survivors: Callable[[], list[psutil.Process]]) -> bool:
    deadline = time.monotonic() + SOON
    while survivors() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not survivors()


def test_run_whose_init_is_stopped_is_ended_all_the_same(play, tmp_path, survivors, enforcement):
    thread = when_there(tmp_path / "pid", psutil.Process.suspend)
    row = play("rob--tight", [["daemon", str(tmp_path / "pid")], ["hang"]], time_limit_seconds=1.5)
    thread.join()
    assert (row["ended_by"], row["verdict"]) == ("time", "unknown")
    assert "could not be killed" not in row["message"]
    assert not survivors()


def test_run_that_has_stopped_whatever_holds_it_is_ended_by_the_harness(
    play, tmp_path, survivors, enforcement, monkeypatch
):
    monkeypatch.setattr(vnnbench.isolation.supervisor, "_REAPING_SECONDS", 2.0)

    def suspend_both(init: psutil.Process) -> None:
        monitor = init.parent()
        assert monitor is not None
        monitor.suspend()
        init.suspend()

    thread = when_there(tmp_path / "pid", suspend_both)
    row = play("rob--tight", [["daemon", str(tmp_path / "pid")], ["hang"]], time_limit_seconds=1.5)
    thread.join()
    assert row["ended_by"] == "time"
    assert is_gone(survivors)


def test_processes_that_a_run_leaves_end_with_it_although_it_has_killed_its_init(
    play, tmp_path, survivors, scripted, monkeypatch
):
    """Without a namespace, a run can kill its init."""
    monkeypatch.setenv("VNNBENCH_TEST_NO_NAMESPACE", "1")
    program = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    row = play("rob--tight", [["daemon", str(tmp_path / "pid")], ["python", program], ["hang"]])
    assert (row["ended_by"], row["enforcement"]) == ("crash", SUBREAPER)
    assert not survivors()


def test_daemon_of_a_killed_harness_dies_although_init_is_stopped(library, tmp_path, survivors, enforcement):
    (tmp_path / "script.json").write_text(json.dumps([["daemon", str(tmp_path / "pid")], ["hang"]]))
    words = [
        sys.executable, "-m", "vnnbench", "run", str(library.folder), "--results", str(tmp_path / "results"),
        "--select", "rob--tight", "--solver", f"scripted:file={tmp_path / 'script.json'}",
    ]  # fmt: skip
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as harness:
        when_there(tmp_path / "pid", psutil.Process.suspend).join()
        harness.kill()
    assert is_gone(survivors)


def test_run_in_a_namespace_dies_with_its_monitor(play, tmp_path, survivors, scripted):
    if play("rob--tight", [])["enforcement"] != NAMESPACE:
        pytest.skip("namespaces are not permitted here (privilege)")

    def kill_monitor(init: psutil.Process) -> None:
        init.parent().kill()  # type: ignore[union-attr]

    thread = when_there(tmp_path / "pid", kill_monitor)
    row = play("rob--tight", [["daemon", str(tmp_path / "pid")], ["hang"]])
    thread.join()
    assert row["ended_by"] == "crash"
    assert is_gone(survivors)


@pytest.mark.parametrize("by", ["root", "user"])
def test_processes_of_a_run_may_not_trace_init_and_have_rights_on_files_alone(
    library, tmp_path, enforcement, by, command_line
):
    done = command_line([["python", TELL_RIGHTS], ["result", "unresolved"]], privileged=by == "root")
    assert done.returncode == 0, done.stderr
    (run,) = {path.name.partition(".")[0] for path in (tmp_path / "results" / "logs").iterdir()}
    log = log_of(tmp_path / "results", run)
    assert log.count("errno 1\n") == 2, log  # EPERM
    assert re.findall(r"NoNewPrivs:\s+(\d)", log) == ["1", "1"]
    for rights in re.findall(r"Cap(?:Inh|Prm|Eff|Amb):\s+(\w+)", log):
        assert int(rights, 16) <= 0b11111
