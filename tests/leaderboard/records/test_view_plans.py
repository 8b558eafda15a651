"""The view `runs` is read in time that grows with the ledger: by its plans, and by the steps of SQLite."""

from __future__ import annotations

import pytest

from vnnbench.leaderboard.records.views import REFUTED_CLAIMS


def test_view_looks_judgements_up_by_index_instead_of_walking_them_per_run(ledger):
    # A plan with a list of all newest judgements per run takes 6 s for 5,000 runs; this guards against its return.
    plan = " ".join(row[3] for row in ledger.connection.execute("EXPLAIN QUERY PLAN SELECT * FROM faults"))
    assert "LIST SUBQUERY" not in plan
    assert "SCAN newest" not in plan


def test_each_row_of_a_large_ledger_is_looked_up_once(ledger):
    plan = [row[3] for row in ledger.connection.execute("EXPLAIN QUERY PLAN SELECT * FROM runs")]
    # once for runs with one attempt, once for those with several; and twice for the witnesses of either
    assert sum("results USING" in step or "r USING" in step for step in plan) <= 6
    assert not any(step == "SCAN r" or step == "SCAN j" for step in plan)


@pytest.mark.parametrize("query", ["SELECT * FROM runs", REFUTED_CLAIMS])
def test_witnesses_are_found_once_and_looked_up_by_index(ledger, query):
    # Walked through for every run they take 6 s for 100,000 runs.
    plan = " ".join(row[3] for row in ledger.connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert "SCAN w" not in plan and "SEARCH w USING" in plan


def test_a_ledger_of_which_half_was_run_again_is_read_in_time_that_grows_with_it(ledger):
    """Steps of SQLite's machine are counted for 2,000 runs, half of them with two attempts, and for twice as many."""
    sha = ledger.instance("a")
    ledger.run("r", sha)
    names = [name for _, name, *_ in ledger.connection.execute("PRAGMA table_info(results)")]
    new = {"run": "?", "attempt": "?"}
    values = ", ".join(new.get(name, name) for name in names)
    copy = f"INSERT INTO results SELECT {values} FROM results WHERE run = 'r'"  # noqa: S608
    steps = []
    for first in (0, 2000):
        attempts = [(f"{number:04}", 1) for number in range(first, first + 2000)]
        attempts += [(f"{run}-2", 2) for run, _ in attempts[::2]]
        ledger.connection.executemany(copy, attempts)
        ledger.connection.set_progress_handler(lambda: steps.append(first), 100)  # noqa: B023 (called in this turn)
        ledger.connection.execute("SELECT count(*) FROM runs").fetchone()
        ledger.connection.set_progress_handler(None, 0)
    assert steps.count(2000) < 2.5 * steps.count(0)
