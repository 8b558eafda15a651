"""What the harness asks of any engine, and what it does with what comes back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from vnnbench.engines.base import Engine
from vnnbench.engines.local import LocalEngine
from vnnbench.errors import ResultsError
from vnnbench.harness import run_plan, run_plan_on
from vnnbench.isolation.machine import machine_facts, machine_name
from vnnbench.leaderboard.records.rows import MachineRow


class Recorded(Engine):
    """Executes on this machine, and lets a test see and change what goes out and comes back."""

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


def test_an_engine_gets_what_the_ledger_lacks_in_the_order_of_the_plan(library, results, local, plan_of, silent):
    plan = [*plan_of("rob--tight", []), *plan_of("adv--tight", []), *plan_of("adv-mag-u10--tight", [])]
    run_plan(plan[1:2], library, results, 1, silent())
    engine = Recorded(local)
    done = run_plan_on(engine, plan, library, results, silent())
    assert engine.asked == [plan[0], plan[2]]
    assert {one.result.run for one in done} == {plan[0].run, plan[2].run}


def test_a_run_that_is_handed_back_twice_is_in_the_ledger_once(library, results, local, plan_of, silent):
    plan, progress = plan_of("rob--tight", []), silent()
    twice = Recorded(local, lambda done: [done, replace(done, result=replace(done.result, message="again"))])
    (done,) = run_plan_on(twice, plan, library, results, progress)
    assert (done.result.message, progress.done) == ("", 1)
    with closing(sqlite3.connect(results / "ledger.sqlite")) as connection:
        assert connection.execute("SELECT run, message FROM results").fetchall() == [(plan[0].run, "")]


def test_a_run_is_stored_with_the_machine_that_it_was_on(library, results, local, plan_of, silent):
    here = machine_facts()
    facts = {**here.document, "cpu": "elsewhere"}
    del facts["machine"]
    elsewhere = MachineRow.of({**facts, "machine": machine_name(facts)})

    def moved(done):
        return [replace(done, machine=elsewhere, result=replace(done.result, machine=elsewhere.machine))]

    run_plan_on(Recorded(local, moved), plan_of("rob--tight", []), library, results, silent())
    run_plan(plan_of("adv--tight", []), library, results, 1, silent())
    with closing(sqlite3.connect(results / "ledger.sqlite")) as connection:
        assert set(connection.execute("SELECT * FROM machines")) == {elsewhere.values, here.values}
        on = connection.execute("SELECT machine FROM results ORDER BY rowid").fetchall()
    assert on == [(elsewhere.machine,), (here.machine,)]


def test_what_was_handed_back_before_an_engine_fails_is_kept(library, results, local, plan_of, silent):
    plan = [*plan_of("rob--tight", []), *plan_of("adv--tight", [])]

    class Failing(Engine):
        def execute(self, planned, hand_back):
            local.execute(planned[:1], hand_back)
            raise ResultsError("the queue is gone")

    with pytest.raises(ResultsError, match="the queue is gone"):
        run_plan_on(Failing(), plan, library, results, silent())
    again = Recorded(local)
    run_plan_on(again, plan, library, results, silent())
    assert again.asked == plan[1:]
