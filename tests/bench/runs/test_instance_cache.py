"""Judges and permutations are made once for the runs on an instance, and leave no trace in these."""

from __future__ import annotations

import threading
import time

import pytest

import vnnbench.runs.instance_cache
from support.silent import Silent
from support.tiny_libraries import POINTS, write_tiny_library
from vnnbench.harness import run_plan
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.formulations.permutation import permuted_file
from vnnbench.judging.judge import Judge
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.runs.instance_cache import KEPT_PERMUTATIONS, InstanceCache


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The instances for which a judge was prepared, in this order; preparing takes a while."""
    names: list[str] = []
    prepare = Judge.of_instance

    def counted(library, row):
        names.append(row.instance)
        time.sleep(0.05)
        return prepare(library, row)

    monkeypatch.setattr(Judge, "of_instance", counted)
    return names


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_newest_instances_are_kept_and_no_more(library, prepared, jobs):
    cache = InstanceCache(library, jobs)
    first, *others = library.rows[: jobs + 2]
    judge = cache.judge(first)
    for other in others[:-1]:
        cache.judge(other)
    assert cache.judge(first) is judge  # this makes it the newest
    cache.judge(others[-1])
    assert cache.judge(first) is judge
    assert prepared == [row.instance for row in (first, *others)]
    for other in others:
        cache.judge(other)
    assert cache.judge(first) is not judge


def test_threads_that_ask_at_once_wait_for_one(library, prepared):
    cache, row, judges = InstanceCache(library, 8), library.rows[0], []
    threads = [threading.Thread(target=lambda: judges.append(cache.judge(row))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert prepared == [row.instance]
    assert len(judges) == 8 and len(set(map(id, judges))) == 1


def test_permutations_are_those_of_the_file_and_made_once_for_the_runs_that_follow_each_other(library, monkeypatch):
    row, made = library.rows[0], []

    def counted(model, instance_sha256, number):
        made.append(number)
        return permuted_file(model, instance_sha256, number)

    monkeypatch.setattr(vnnbench.runs.instance_cache, "permuted_file", counted)
    cache, fresh = InstanceCache(library, 2), Judge.of_instance(library, row).model
    numbers = range(1, 2 + KEPT_PERMUTATIONS + 2)
    for number in numbers:
        for _solver in range(3):
            assert cache.permuted(row, number) == permuted_file(fresh, row.instance_sha256, number)
    assert made == list(numbers)
    assert cache.permuted(row, 1) == permuted_file(fresh, row.instance_sha256, 1)
    assert len(made) == len(numbers) + 1  # the first permutation was evicted


def test_a_file_that_could_not_be_read_is_tried_again(tmp_path):
    library = write_tiny_library(tmp_path / "library")
    cache, row = InstanceCache(library, 1), library.rows[0]
    path = library.property_path(row)
    data = path.read_bytes()
    path.write_bytes(b"{")
    for _ in range(2):
        with pytest.raises(LibraryError):
            cache.judge(row)
    path.write_bytes(data)
    assert cache.judge(row).problem.threshold == 0


@pytest.mark.parametrize("part", ["network_path", "dense_network_path", "property_path", "model_path"])
def test_file_that_was_altered_since_the_plan_began_judges_nothing(tmp_path, part):
    """A solver that ran before could alter any file, also one that a judge reads only when it needs it."""
    library = write_tiny_library(tmp_path / "library")
    row = next(row for row in library.rows if row.network != row.dense_network)
    judge = InstanceCache(library, 1).judge(row) if part == "model_path" else None
    path = getattr(library, part)(row)
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(LibraryError, match=f"{path.name}: is not the file that library.json knows"):
        _ = (judge or InstanceCache(library, 1).judge(row)).model


def test_each_of_several_runs_at_a_time_finds_its_judge_again(library, tmp_path, plan_of, prepared):
    plan = [run for told in (["bound", -9.0], ["bound", -8.0]) for row in library.rows
            for run in plan_of(row.instance, [told])]  # fmt: skip
    assert len(run_plan(plan, library, tmp_path / "results", 4, Silent())) == 8
    assert sorted(prepared) == sorted(row.instance for row in library.rows)


@pytest.mark.parametrize("jobs", [1, 2])
def test_runs_that_share_are_judged_as_those_that_do_not(library, tmp_path, plan_of, steps, jobs):
    def script(instance: str, *names: str) -> list:
        s = steps(instance)
        told = [s.incumbent(POINTS[name]) for name in names]
        return [*told, s.result("solution_found", POINTS[names[-1]])]

    asked = [
        ("adv--tight", ("centre", "good")), ("rob--tight", ("centre",)), ("adv--tight", ("best",)),
        ("adv-mag-u10--tight", ("good", "centre")), ("adv--tight", ("centre",)),
    ]  # fmt: skip
    plan = [run for name, told in asked for run in plan_of(name, script(name, *told), goal=StopGoal.OPTIMIZE)]

    def judged(results, plan):
        done = run_plan(plan, library, results, jobs, Silent())
        own = ("judged_at", "judge_seconds", "first_success_seconds", "primal_steps")
        return {one.result.run: {k: v for k, v in one.judgement.document.items() if k not in own} for one in done}

    alone = [judged(tmp_path / str(number), [run]) for number, run in enumerate(plan)]
    assert judged(tmp_path / "together", plan) == {run: row for rows in alone for run, row in rows.items()}
    assert len(alone) == 5
