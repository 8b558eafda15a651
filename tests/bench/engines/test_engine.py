"""The contract between harness and engine, and an engine that carries runs as files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from support.silent import Silent
from support.tiny_libraries import GOOD
from vnnbench.engines.base import Engine
from vnnbench.engines.finished_run import CarriedRun, publish, put_published
from vnnbench.engines.local import LocalEngine
from vnnbench.engines.planned_run import parse_planned, planned_json
from vnnbench.errors import ResultsError
from vnnbench.harness import run_plan, run_plan_on
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.isolation.machine import machine_facts, machine_name
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.records.rows import MachineRow
from vnnbench.ledger.confirm import confirm


class Recorded(Engine):
    """An engine that executes on this machine, and lets a test see and change what goes out and comes back."""

    def __init__(self, inner: Engine, change=lambda done: [done]) -> None:
        self.inner, self.change, self.asked = inner, change, []

    def execute(self, planned, hand_back) -> None:
        self.asked += planned
        self.inner.execute(planned, lambda done: [hand_back(each) for each in self.change(done)])


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def local(library, results):
    return LocalEngine(library, results, 2)


def test_an_engine_cannot_be_made_without_saying_how_it_executes():
    with pytest.raises(TypeError, match="execute"):
        Engine()  # type: ignore[abstract]


def test_an_engine_gets_what_the_ledger_lacks_in_the_order_of_the_plan(library, results, local, plan_of):
    plan = [*plan_of("rob--tight", []), *plan_of("adv--tight", []), *plan_of("adv-mag-u10--tight", [])]
    run_plan(plan[1:2], library, results, 1, Silent())
    engine = Recorded(local)
    done = run_plan_on(engine, plan, library, results, Silent())
    assert engine.asked == [plan[0], plan[2]]
    assert {one.result.run for one in done} == {plan[0].run, plan[2].run}


def test_a_run_that_is_handed_back_twice_is_in_the_ledger_once(library, results, local, plan_of):
    plan, progress = plan_of("rob--tight", []), Silent()
    twice = Recorded(local, lambda done: [done, replace(done, result=replace(done.result, message="again"))])
    (done,) = run_plan_on(twice, plan, library, results, progress)
    assert (done.result.message, progress.done) == ("", 1)
    with closing(sqlite3.connect(results / "ledger.sqlite")) as connection:
        assert connection.execute("SELECT run, message FROM results").fetchall() == [(plan[0].run, "")]


def test_a_run_is_stored_with_the_machine_that_it_was_on(library, results, local, plan_of):
    here = machine_facts()
    facts = {**here.document, "cpu": "elsewhere"}
    del facts["machine"]
    elsewhere = MachineRow.of({**facts, "machine": machine_name(facts)})

    def moved(done):
        return [replace(done, machine=elsewhere, result=replace(done.result, machine=elsewhere.machine))]

    run_plan_on(Recorded(local, moved), plan_of("rob--tight", []), library, results, Silent())
    run_plan(plan_of("adv--tight", []), library, results, 1, Silent())
    with closing(sqlite3.connect(results / "ledger.sqlite")) as connection:
        assert set(connection.execute("SELECT * FROM machines")) == {elsewhere.values, here.values}
        on = connection.execute("SELECT machine FROM results ORDER BY rowid").fetchall()
    assert on == [(elsewhere.machine,), (here.machine,)]


def test_runs_that_were_handed_back_before_an_engine_fails_are_kept(library, results, local, plan_of):
    plan = [*plan_of("rob--tight", []), *plan_of("adv--tight", [])]

    class Failing(Engine):
        def execute(self, planned, hand_back):
            local.execute(planned[:1], hand_back)
            raise ResultsError("the queue is gone")

    with pytest.raises(ResultsError, match="the queue is gone"):
        run_plan_on(Failing(), plan, library, results, Silent())
    again = Recorded(local)
    run_plan_on(again, plan, library, results, Silent())
    assert again.asked == plan[1:]


# -- by files alone ------------------------------------------------------------------------------------------------


class ByFiles(Engine):
    """The head of a cluster: it shares a folder with its workers, each of which is a process of its own there."""

    def __init__(self, shared, results, library, workers) -> None:
        self.shared, self.results, self.library, self.workers = shared, results, library, workers

    def execute(self, planned, hand_back) -> None:
        for number in range(self.workers):
            self.work(number, [(run.name, planned_json(run)) for run in planned])
        for run in planned:
            finished = put_published(self.shared / "finished", run.name, self.results)
            assert finished is not None
            hand_back(finished)

    def work(self, number, runs) -> None:
        """Do the part of a worker, which knows the library, the folder and the JSON of its runs."""
        own = self.shared.parent / f"worker-{number}"
        own.mkdir()
        planned = [parse_planned(data, name, self.library) for name, data in runs]

        def finish(done) -> None:
            assert publish(self.shared / "finished", CarriedRun.collect(done, own)) is (number == 0)

        LocalEngine(self.library, own, 2).execute(planned, finish)


def test_runs_carried_by_files_are_those_of_this_machine(library, results, tmp_path, plan_of, steps):
    """Two workers execute every run: the ledger holds what the first one returned, and it is judged alike here."""
    s = steps("adv--tight")
    answered = [["bound", 0.1], ["wait_stop", 30]], [s.incumbent(GOOD), ["wait_stop", 30]]
    plan = [*plan_of("rob--tight", answered[0]), *plan_of("adv--tight", answered[1])]
    done = run_plan_on(ByFiles(tmp_path / "shared", results, library, 2), plan, library, results, Silent())
    assert [one.result.run for one in done] == [run.run for run in plan]
    here = tmp_path / "here"
    run_plan(plan, library, here, 1, Silent())
    assert {path.relative_to(here) for path in here.rglob("*.*z*")} == {
        path.relative_to(results) for path in results.rglob("*.*z*")
    }
    for path in results.rglob("*.*z*"):
        assert path.read_bytes() == (tmp_path / "worker-0" / path.relative_to(results)).read_bytes()
    progress = Silent()
    assert confirm(results, LibrarySet((library,)), progress) == []
    assert progress.done == 2
    facts = ["run", "instance", "termination", "ended_by", "verdict", "fault", "best_exact_value", "dual_bound"]
    ours, theirs = (read_runs(folder / "ledger.sqlite").sort_values("run")[facts] for folder in (results, here))
    assert ours.to_csv(index=False) == theirs.to_csv(index=False)
