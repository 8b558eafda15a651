"""Runs on proven answers: found, missed or undecided; those on planted answers are tested in `test_planted`."""

from __future__ import annotations

import json

import pytest

from support.rankings import add_own_and_given_limits
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.records.answer_outcomes import KnownAnswers
from vnnbench.leaderboard.records.proven import Proven, ProvenAnswer
from vnnbench.leaderboard.tables.render import Format, render


def proven(digest, answer, lower=None, upper=None):
    return Proven(digest, ProvenAnswer(answer), lower, upper, "0" * 64)


@pytest.fixture
def board(ledger):
    """A function that returns the leaderboard where these answers are proven.

    An honest setting finds a counterexample and excludes one, another claims otherwise of the first and nothing of the
    second, and both exclude one in a problem that is not decided.
    """
    adversarial, robust, undecided = (
        ledger.instance(name, problem=name, network=name, dense_network=name) for name in ("adv", "rob", "open")
    )
    ledger.found("a", adversarial, 1.0, value=0.25)
    ledger.robust("b", robust, 1.0)
    ledger.robust("c", undecided, 1.0)
    for run, digest in (("d", adversarial), ("f", undecided)):
        ledger.robust(run, digest, 1.0, solver="liar")
    ledger.run("e", robust, solver="liar")
    return lambda *answers: build_leaderboard(ledger.runs(*answers))


ANSWERS = (
    proven("sha-adv", "adversarial", 0.25),
    proven("sha-rob", "robust", None, -0.25),
    proven("sha-open", "open", -1.0, 0.5),
)


def test_outcomes_on_decided_problems_are_counted_by_setting(board):
    rows = board(*ANSWERS).proven.rows
    assert [(r.setting.solver, r.problems, r.runs, r.found, r.missed, r.undecided) for r in rows] == [
        ("highs", 2, 2, 2, 0, 0), ("liar", 2, 2, 0, 1, 1),
    ]  # fmt: skip
    assert json.loads(render(board(*ANSWERS), Format.JSON))["proven"][1] == {
        "setting": "liar", "problems": 2, "runs": 2, "found": 0, "missed": 1, "undecided": 1,
    }  # fmt: skip


def test_a_line_says_how_many_claims_are_certified(board):
    text = " ".join(render(board(*ANSWERS), Format.TABLE, width=200).split())
    assert (
        "Proven answers: 2 problems, 4 runs: 2 found, 1 missed (claimed otherwise), 1 undecided; robust: 1 certified, "
        "2 claimed." in text
    )
    assert "Planted answers" not in text


def test_without_proven_answers_nothing_is_said(board):
    assert board().proven == KnownAnswers()
    assert "Proven answers" not in render(board(), Format.TABLE)


def test_an_optimum_or_an_interval_is_found_or_missed_by_no_run(ledger):
    for name, problem in (("max", "maximize"), ("near", "closest")):
        ledger.run(name, ledger.instance(name, problem=problem, threshold=None, family=problem), dual_bound=1.0)
    found = ledger.runs(proven("sha-max", "open", 0.5, 0.5), proven("sha-near", "robust", None, -2.0))
    assert found["proven"].tolist() == [None, None]


def test_a_run_of_two_settings_counts_once(ledger):
    add_own_and_given_limits(ledger)
    board = build_leaderboard(ledger.runs(*(proven(f"sha-{name}", "adversarial", 0.25) for name in "abcd")))
    assert sum(row.runs for row in board.proven.rows) == 12
    assert sum(number for _, number in board.proven.outcomes) == 10
