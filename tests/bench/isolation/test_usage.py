"""Use that is hard to see is counted, or the row says that it was not."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest

import vnnbench.isolation.cgroups
import vnnbench.isolation.supervisor
import vnnbench.isolation.usage
from vnnbench.isolation.cgroups import RunGroup
from vnnbench.isolation.fork_server import NAMESPACE
from vnnbench.isolation.hidden_storage import SEGMENTS_PATH, HeldFiles, segments
from vnnbench.leaderboard.words import Counted

pytestmark = pytest.mark.alone

MIB = 1 << 20
PRIVILEGED = re.search(r"^CapEff:\s+0+$", Path("/proc/self/status").read_text(), re.MULTILINE) is None


@pytest.fixture
def sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no control group be made."""
    monkeypatch.setattr(vnnbench.isolation.cgroups, "_home", lambda: None)


@pytest.fixture
def own_shared_memory(play) -> None:
    """Skip unless runs have a /dev/shm of their own: in namespaces, but not in those of root without privileges."""
    if play("rob--tight", [["sleep", 0.01]])["enforcement"] != NAMESPACE or (os.geteuid() == 0 and not PRIVILEGED):
        pytest.skip("mounts of their own are not permitted here (privilege)")


# -- memory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["memfd", "private_memfd", "segment", "open_shm_file"])
def test_shared_memory_counts_whether_it_is_mapped_or_not(play, enforcement, sampling, step):
    row = play("rob--tight", [[step, 240], ["hang"]], memory_limit_bytes=150 * MIB, time_limit_seconds=60.0)
    assert (row["ended_by"], row["counted"]) == ("memory", "sampling")
    assert 150 * MIB < row["peak_memory_bytes"] < 600 * MIB


def test_shared_memory_is_counted_once(play, enforcement, sampling):
    """Two processes have mapped 200 MiB, and no process has mapped 100 MiB more."""
    script = [["mapped_memfd", 200], ["memfd", 100], ["sleep", 0.5], ["result", "unresolved"]]
    row = play("rob--tight", script, memory_limit_bytes=1 << 30, time_limit_seconds=60.0)
    assert row["ended_by"] == "solver"
    assert 300 * MIB < row["peak_memory_bytes"] < 420 * MIB


def test_own_shared_memory_folder_counts_and_ends_with_the_run(play, sampling, own_shared_memory):
    script = [["shm_file", 64], ["sleep", 0.5], ["result", "unresolved"]]
    row = play("rob--tight", script, memory_limit_bytes=1 << 30)
    assert row["ended_by"] == "solver"
    assert 64 * MIB < row["peak_memory_bytes"] < 200 * MIB
    assert not Path("/dev/shm/vnnbench-hoard").exists()  # noqa: S108


def test_own_shared_memory_folder_takes_no_more_than_twice_the_memory_limit(play, sampling, own_shared_memory):
    row = play("rob--tight", [["shm_file", 320], ["hang"]], memory_limit_bytes=150 * MIB, time_limit_seconds=60.0)
    assert (row["ended_by"], row["termination"]) in [("memory", None), ("solver", "error")]  # or it is refused more
    assert row["peak_memory_bytes"] < 300 * MIB


def test_a_solver_can_mount_nothing(play, enforcement, sampling):
    row = play("rob--tight", [["own_tmpfs", 1], ["hang"]], time_limit_seconds=60.0)
    assert (row["ended_by"], row["termination"]) == ("solver", "error")
    assert "PermissionError: no" in row["message"]


@pytest.mark.skipif(not PRIVILEGED, reason="mounts take privileges (privilege)")
def test_file_system_in_memory_that_others_do_not_see_counts(tmp_path):
    """A process in a user namespace of its own may mount such a file system."""
    mount = "mount -t tmpfs tmpfs /mnt && head -c 8388608 /dev/zero > /mnt/hoard && echo ready && read line"
    command = ["unshare", "--mount", "sh", "-c", mount]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "ready\n"
        found = HeldFiles(tmp_path).private_file_systems([holder.pid])
        holder.communicate("go\n")
    assert sum(found.values()) == 8 * MIB


def test_segments_of_a_run_end_with_it(play, enforcement, sampling):
    before = segments(SEGMENTS_PATH.read_text())
    row = play("rob--tight", [["segment", 8], ["sleep", 0.3], ["result", "unresolved"]])
    assert row["ended_by"] == "solver"
    assert segments(SEGMENTS_PATH.read_text()) == before


@pytest.fixture
def fake_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that reads like a control group with the memory controller, in which every run is."""
    folder = tmp_path / "group"
    folder.mkdir()
    (folder / "cpu.stat").write_text("usage_usec 1500000\n")
    (folder / "cgroup.procs").touch()
    (folder / "memory.stat").write_text(f"anon {10 * MIB}\nfile {900 * MIB}\nshmem {20 * MIB}\n")
    monkeypatch.setattr(vnnbench.isolation.supervisor, "run_group", lambda _: nullcontext(RunGroup(folder, True)))
    monkeypatch.setattr(RunGroup, "holds", lambda *_: True)
    return folder


def test_memory_is_what_the_group_is_charged_with_where_it_counts(play, fake_group):
    row = play("rob--tight", [["result", "unresolved"]])
    assert (row["ended_by"], row["counted"]) == ("solver", "cgroup")
    assert row["peak_memory_bytes"] == 30 * MIB  # without the cache of files
    assert row["cpu_seconds"] < 1.5  # what the group had used before does not count
    (fake_group / "memory.stat").write_text(f"anon {10 * MIB}\nfile 0\nshmem {300 * MIB}\n")
    row = play("rob--tight", [["hang"]], memory_limit_bytes=200 * MIB, time_limit_seconds=60.0)
    assert (row["ended_by"], row["peak_memory_bytes"]) == ("memory", 310 * MIB)


def test_solver_that_the_kernel_kills_at_the_limit_of_its_group_is_over_its_memory_limit(play, fake_group):
    (fake_group / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    row = play("rob--tight", [["kill", 9]])
    assert (row["ended_by"], row["termination"]) == ("memory", None)


# -- output ------------------------------------------------------------------------------------------------------


@pytest.fixture
def little_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vnnbench.isolation.supervisor, "MAX_OUTPUT_BYTES", 24 * MIB)


@pytest.mark.parametrize("step", [["unlinked", ".", 16], ["unlinked", "/var/tmp", 16], ["nameless", 16]])  # noqa: S108
def test_files_without_a_name_are_output(play, enforcement, little_output, step):
    """The run fills two of them, because a single file may not be so large."""
    row = play("rob--tight", [step, step, ["hang"]], time_limit_seconds=60.0)
    assert (row["ended_by"], row["termination"], row["verdict"]) == ("output", None, "unknown")


@pytest.mark.skipif(not PRIVILEGED, reason="the kernel shows mapped files to root alone (privilege)")
def test_mapped_files_without_a_name_are_output(play, enforcement, little_output):
    row = play("rob--tight", [["mapped", 16], ["mapped", 16], ["hang"]], time_limit_seconds=60.0)
    assert row["ended_by"] == "output"


def test_files_of_a_thread_with_descriptors_of_its_own_are_output(play, enforcement, little_output):
    row = play("rob--tight", [["thread_files", 16], ["thread_files", 16], ["hang"]], time_limit_seconds=60.0)
    assert row["ended_by"] == "output"


def test_holes_and_further_names_of_a_file_are_not_output(play, little_output):
    row = play("rob--tight", [["sparse", 20], ["sleep", 0.3], ["result", "unresolved"]])
    assert (row["ended_by"], row["termination"]) == ("solver", "unresolved")


def test_too_many_files_are_output(play, monkeypatch):
    monkeypatch.setattr(vnnbench.isolation.usage, "MAX_FILES", 300)
    row = play("rob--tight", [["files", 200], ["sleep", 0.2], ["result", "unresolved"]])
    assert row["ended_by"] == "solver"
    row = play("rob--tight", [["files", 400], ["hang"]], time_limit_seconds=60.0)
    assert row["ended_by"] == "output"


def test_folders_too_deep_to_be_looked_into_are_output(play):
    """What is written there cannot be counted, because a path has at most 4,096 bytes."""
    row = play("rob--tight", [["nest", 2100], ["hang"]], time_limit_seconds=60.0)
    assert row["ended_by"] == "output"


# -- processor time ----------------------------------------------------------------------------------------------


def test_group_counts_children_that_leave_no_trace(play):
    """There are 40 children of 0.03 s each, shorter than the time between two looks."""
    row = play("rob--tight", [["burn_unseen", 40, 0.03], ["result", "unresolved"]], time_limit_seconds=100.0)
    if row["counted"] == Counted.SAMPLING:
        pytest.skip("cgroup v2 cannot be written here (privilege)")
    assert row["cpu_seconds"] > 1.2


def test_looks_count_children_that_leave_no_trace_as_long_as_they_are_seen(play, enforcement, sampling):
    row = play("rob--tight", [["burn_unseen", 4, 0.4], ["result", "unresolved"]], time_limit_seconds=100.0)
    assert row["counted"] == "sampling"
    assert row["cpu_seconds"] > 0.8  # of 1.6 s, what each child had used at the last look


def test_use_that_was_not_counted_to_the_end_is_null(play, sampling, monkeypatch):
    monkeypatch.setenv("VNNBENCH_TEST_NO_NAMESPACE", "1")  # inside a namespace, the monitor cannot be reached
    row = play("rob--tight", [["kill_monitor"], ["sleep", 0.2], ["result", "unresolved"]])
    assert (row["ended_by"], row["enforcement"]) == ("solver", "subreaper")
    assert row["cpu_seconds"] is None
    assert row["cores"] == "" or row["foreign_seconds"] is None


def test_run_that_never_began_has_used_nothing_that_is_known(play, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    row = play("rob--tight", [])
    assert (row["ended_by"], row["cpu_seconds"], row["peak_memory_bytes"]) == ("crash", None, None)
