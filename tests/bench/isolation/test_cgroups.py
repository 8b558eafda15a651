"""Control groups: where they are made, what is read from them, and that all are removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import vnnbench.isolation.cgroups
from vnnbench.isolation.cgroups import RunGroup, _remove_leftovers, fork_into, join, parents, run_group

pytestmark = pytest.mark.alone

MOUNTS = """22 1 0:21 / / rw,relatime - ext4 /dev/vda rw
31 22 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
"""
OF_A_CONTAINER = MOUNTS.replace("0:28 / /sys", "0:28 /docker/abc /sys")


@pytest.mark.parametrize(
    ("mounts", "membership", "found"),
    [
        (MOUNTS, "0::/user.slice/a.scope\n", ["/sys/fs/cgroup/user.slice/a.scope", "/sys/fs/cgroup/user.slice"]),
        (MOUNTS, "1:memory:/x\n0::/\n", ["/sys/fs/cgroup"]),
        (OF_A_CONTAINER, "0::/docker/abc/run\n", ["/sys/fs/cgroup/run", "/sys/fs/cgroup"]),
        (OF_A_CONTAINER, "0::/elsewhere\n", []),
        (MOUNTS, "0::/../other\n", []),
        (MOUNTS, "1:memory:/x\n", []),
        (MOUNTS.replace("cgroup2", "cgroup"), "0::/\n", []),
    ],
)
def test_groups_are_made_in_the_own_one_or_the_one_around_it(mounts, membership, found):
    assert list(map(str, parents(mounts, membership))) == found


def test_numbers_of_a_group_are_read_by_their_names(tmp_path):
    group = RunGroup(tmp_path, True)
    (tmp_path / "cpu.stat").write_text("user_usec 1\nusage_usec 2500000\nnr_usage_usec 7\n")
    (tmp_path / "memory.stat").write_text("anon 100\nfile 4000\ninactive_anon 7\nshmem 20\n")
    assert (group.cpu_seconds(), group.memory_bytes(), group.ran_out_of_memory()) == (2.5, 120, False)
    (tmp_path / "memory.swap.current").write_text("3\n")
    (tmp_path / "memory.events").write_text("oom 2\noom_kill 1\noom_group_kill 0\n")
    assert (group.memory_bytes(), group.ran_out_of_memory()) == (123, True)
    (tmp_path / "cpu.stat").write_text("")
    with pytest.raises(ValueError, match="has no line usage_usec"):
        group.cpu_seconds()


def test_where_no_group_can_be_made_runs_go_without(monkeypatch, tmp_path):
    monkeypatch.setattr(vnnbench.isolation.cgroups, "_home", lambda: None)
    with run_group(1 << 30) as group:
        assert group is None
    assert RunGroup.make_in(tmp_path / "absent", 1 << 30) is None
    assert RunGroup.make_in(tmp_path, 1 << 30) is None  # an ordinary folder, which tells nothing
    assert list(tmp_path.iterdir()) == []
    assert fork_into(str(tmp_path)) is None
    join(str(tmp_path))


@pytest.fixture
def home() -> Path:
    found = vnnbench.isolation.cgroups._home()
    if found is None:
        pytest.skip("cgroup v2 cannot be written here (privilege)")
    return found


@pytest.mark.parametrize("how", ["forked", "moved"])
def test_process_is_in_its_group_and_what_it_used_stays_known(home, how):
    """The process that forks is an interpreter without threads, as a fork into a group requires."""
    code = (
        "import os, sys, time\n"
        "from vnnbench.isolation.cgroups import fork_into, join\n"
        "folder, how = sys.argv[1:]\n"
        "pid = fork_into(folder) if how == 'forked' else os.fork()\n"
        "if pid == 0:\n"
        "    join(folder)\n"
        "    if os.fork() == 0:\n"
        "        while time.process_time() < 0.3: pass\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "    os._exit(0 if str(os.getpid()) in open(f'{folder}/cgroup.procs').read().split() else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    with run_group(1 << 30) as group:
        done = subprocess.run([sys.executable, "-c", code, str(group.folder), how], timeout=60, check=False)
        assert done.returncode == 0
        assert group.cpu_seconds() >= 0.3
        assert not group.holds(os.getpid())
    assert not group.folder.exists()


def test_processes_that_are_left_in_a_group_end_with_it(home):
    with run_group(1 << 30) as group, subprocess.Popen(["sleep", "1000"]) as process:
        (group.folder / "inner").mkdir()
        (group.folder / "inner" / "cgroup.procs").write_text(str(process.pid))
        group.kill()
        assert process.wait(60) == -signal.SIGKILL
    assert not group.folder.exists()


def test_groups_of_a_killed_harness_are_removed_and_those_of_others_stay(tmp_path):
    gone = 2**22 + 1  # beyond the largest process number
    for name in (f"vnnbench-{gone}-0", f"vnnbench-{os.getpid()}-0", "other"):
        (tmp_path / name).mkdir()
    _remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"vnnbench-{os.getpid()}-0", "other"}
