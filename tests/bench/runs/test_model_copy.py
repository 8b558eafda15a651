"""A run's own copy of its model file: what a solver does with it harms its own run alone."""

from __future__ import annotations

import pytest

from support.plays import log_of
from support.silent import Silent
from support.tiny_libraries import GOOD
from vnnbench.harness import run_plan
from vnnbench.leaderboard.records.reader import read_runs


@pytest.mark.parametrize("how", ["rewrite", "remove", "pipe"])
def test_solver_that_changes_its_model_file_changes_its_own_copy(library, tmp_path, plan_of, steps, how):
    s = steps("adv--tight")
    path = library.model_path(s.row)
    before = path.read_bytes()
    (planned,) = plan_of("adv--tight", [["spoil", how], s.result("solution_found", GOOD)])
    run_plan([planned], library, tmp_path / "results", 1, Silent())
    assert path.read_bytes() == before
    (row,) = read_runs(tmp_path / "results" / "ledger.sqlite").itertuples()
    assert (row.termination, row.ended_by) == ("solution_found", "solver")
    assert (row.verdict, row.fault) == ("adversarial", "none")
    assert row.message == "adv--tight.mps.gz: changed or removed during the run"
    assert row.message in log_of(tmp_path / "results", planned.run)


def test_log_of_an_honest_run_says_nothing_of_its_model_file(library, tmp_path, plan_of):
    (planned,) = plan_of("adv--tight", [])
    run_plan([planned], library, tmp_path / "results", 1, Silent())
    assert log_of(tmp_path / "results", planned.run) == "scripted log\n"
    assert [row.message for row in read_runs(tmp_path / "results" / "ledger.sqlite").itertuples()] == [""]
