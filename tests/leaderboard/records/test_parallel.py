"""Tasks in forked processes."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial

import pytest

from vnnbench.leaderboard.records import parallel


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def test_results_come_in_the_order_of_the_tasks_from_as_many_processes(two_cores):
    found = parallel.at_once([partial(lambda place: (place, os.getpid()), place) for place in range(3)], True)
    assert [place for place, _ in found] == [0, 1, 2]
    assert found[0][1] == os.getpid()
    assert len({process for _, process in found}) == 3


def test_what_a_task_raises_elsewhere_is_raised_here(two_cores):
    def refuse() -> None:
        raise KeyError("no such thing")

    with pytest.raises(KeyError, match="no such thing"):
        parallel.at_once([lambda: None, refuse], True)


def test_process_that_is_killed_is_an_error(two_cores):
    with pytest.raises(RuntimeError, match="was killed"):
        parallel.at_once([lambda: None, lambda: os.kill(os.getpid(), signal.SIGKILL)], True)


def test_other_processes_end_when_the_task_here_fails(two_cores, tmp_path):
    def endless() -> None:
        (tmp_path / "pid").write_text(str(os.getpid()))
        signal.pause()

    def fail() -> None:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            pass
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        parallel.at_once([fail, endless], True)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_beside_other_threads_nothing_is_forked(two_cores):
    end = threading.Event()
    other = threading.Thread(target=end.wait)
    other.start()
    try:
        assert parallel.cores() == 1
        assert parallel.at_once([os.getpid, os.getpid], True) == [os.getpid()] * 2
    finally:
        end.set()
        other.join()


def test_few_things_and_forks_themselves_are_done_here(two_cores):
    assert parallel.at_once([os.getpid, os.getpid], False) == [os.getpid()] * 2
    inner = partial(parallel.at_once, [os.getpid, os.getpid], True)
    (ours, other), (first, second) = parallel.at_once([inner, inner], True)
    assert ours == os.getpid() != other
    assert first == second not in (ours, other)
