"""Cores of its own for each run: which runs get which cores, and which get none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import vnnbench.isolation.cores
from vnnbench.isolation.cores import Reservation, reserved

pytestmark = pytest.mark.alone


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A function that makes a machine of these lists of sibling cores, which no real harness can have taken."""

    def make(siblings: list[list[int]]) -> None:
        base = 10_000 * (1 + os.getpid())  # so that no two processes' cores overlap
        cores = [base + core for group in siblings for core in group]
        rank = {base + core: place for group in siblings for place, core in enumerate(sorted(group))}
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(cores))
        monkeypatch.setattr(vnnbench.isolation.cores, "_rank_among_siblings", rank.__getitem__)
        make.base = base  # type: ignore[attr-defined]

    return make


def plain(reservation: Reservation, machine) -> list[tuple[int, ...]]:
    return [tuple(core - machine.base for core in cores) for cores in reservation.sets]


def test_runs_get_different_cores_and_physical_ones_first(machine):
    machine([[0, 4], [1, 5], [2, 6], [3, 7]])
    with reserved(2, 2) as cores:
        assert plain(cores, machine) == [(0, 1), (2, 3)]
    with reserved(3, 2) as cores:
        assert plain(cores, machine) == [(0, 1), (2, 3), (4, 5)]


def test_run_for_which_too_few_cores_are_left_gets_none(machine):
    machine([[0], [1], [2]])
    with reserved(2, 2) as cores:
        assert plain(cores, machine) == [(0, 1), ()]
    with reserved(1, 4) as cores:
        assert cores.sets == [()]


def test_another_harness_gets_what_is_left_and_all_when_the_first_has_ended(machine):
    machine([[0], [1]])
    with reserved(1, 1) as first, reserved(2, 1) as second:
        assert plain(first, machine) == [(0,)]
        assert plain(second, machine) == [(1,), ()]
    with reserved(2, 1) as later:
        assert plain(later, machine) == [(0,), (1,)]


def test_shortage_of_cores_is_one_line_with_its_numbers(machine):
    machine([[0], [1], [2]])
    disturbed = "whose runs count as disturbed"
    with reserved(3, 1) as enough:
        assert enough.shortage is None
    with reserved(5, 1) as cores:
        assert cores.shortage == f"5 jobs x 1 thread on 3 cores: too few are left for 2 jobs, {disturbed}"
    with reserved(2, 2) as cores:
        assert cores.shortage == f"2 jobs x 2 threads on 3 cores: too few are left for 1 job, {disturbed}"
    with reserved(2, 1), reserved(2, 1) as cores:
        taken = "3 cores, 2 of them used by another vnnbench"
        assert cores.shortage == f"2 jobs x 1 thread on {taken}: too few are left for 1 job, {disturbed}"


def test_killed_harness_leaves_its_cores(machine):
    machine([[0]])
    bind = f"s = socket.socket(socket.AF_UNIX); s.bind('\\0vnnbench-core-{machine.base}')"
    code = f"import socket, time; {bind}; print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline()
        with reserved(1, 1) as cores:
            assert cores.sets == [()]
        other.kill()
        other.communicate()
    with reserved(1, 1) as cores:
        assert plain(cores, machine) == [(0,)]


def test_siblings_are_read_from_the_kernel():
    cores = sorted(os.sched_getaffinity(0))
    ranks = {core: vnnbench.isolation.cores._rank_among_siblings(core) for core in cores}
    assert min(ranks.values()) == 0
    assert vnnbench.isolation.cores._rank_among_siblings(10_000_000) == 0
