"""Planted answers against runs: which runs are at fault, whose verdict falls, what is counted."""

from __future__ import annotations

import json
import os

import pytest

from support import sealed_answers
from support.rankings import add_own_and_given_limits
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.records.answer_outcomes import AnswerOutcome, KnownAnswers
from vnnbench.leaderboard.tables.render import Format, render
from vnnbench.leaderboard.words import LedgerError

ADVERSARIAL = {"answer": "adversarial", "value": 0.25, "point": [0.5]}
ROBUST = {"answer": "robust", "bound": -0.25, "level": "split"}


def seal(ledger, answers, **more):
    """Write a sealed file beside the ledger: the answers by the sha256 of their instances."""
    problems = [
        {"problem": f"p{number}", "instances": {"name": digest}, **answer}
        for number, (digest, answer) in enumerate(answers.items())
    ]
    return sealed_answers.seal(ledger.path.parent, problems, **more)


def facts(ledger, run="r"):
    found = ledger.row(run)
    return found["verdict"], found["evidence"], found["fault"], found["planted"]


@pytest.fixture
def dense(ledger):
    return ledger.instance("dense")


def test_a_bound_below_a_planted_counterexample_is_the_solvers_fault(ledger, dense):
    ledger.robust("r", dense, 1.0, bound=-0.5)
    assert facts(ledger) == ("robust", "claimed", "none", None)
    seal(ledger, {dense: ADVERSARIAL})
    assert facts(ledger) == ("unknown", "none", "solver", "missed")
    assert ledger.row("r")["fault_reason"] == "r claims the bound -0.5, refuted by 0.25 from the planted counterexample"


def test_infeasible_is_refuted_too(ledger, dense):
    ledger.run("r", dense, termination="infeasible")
    assert facts(ledger) == ("unknown", "none", "none", None)
    seal(ledger, {dense: ADVERSARIAL})
    assert facts(ledger) == ("unknown", "none", "solver", "missed")
    assert ledger.row("r")["fault_reason"] == "r claims infeasible, refuted by 0.25 from the planted counterexample"


@pytest.mark.parametrize(
    ("bound", "rounding", "fault"),
    [(0.25, 0.0, "none"), (0.25 - 9e-7, 0.0, "tolerance"), (0.25 - 2e-6, 0.0, "solver"), (0.2, 0.06, "none"),
     (0.2, 0.04, "solver"), (None, 0.0, "none")],
)  # fmt: skip
def test_a_bound_may_be_off_by_the_tolerance_and_the_rounding_of_constants(ledger, bound, rounding, fault):
    digest = ledger.instance("rounded", constant_rounding=rounding)
    seal(ledger, {digest: ADVERSARIAL})
    ledger.run("r", digest, dual_bound=bound)
    assert ledger.row("r")["fault"] == fault
    # A bound above 0 leaves room for a counterexample, be it wrong or not.
    assert ledger.row("r")["planted"] == "undecided"


def test_a_robust_claim_within_tolerance_of_the_planted_value_is_void_all_the_same(ledger, dense):
    seal(ledger, {dense: ADVERSARIAL | {"value": 1e-7}})
    ledger.robust("r", dense, 1.0, bound=-1e-7)
    assert facts(ledger) == ("unknown", "none", "tolerance", "missed")


def test_a_run_that_finds_the_counterexample_or_claims_nothing_is_not_at_fault(ledger, dense):
    seal(ledger, {dense: ADVERSARIAL})
    ledger.found("finder", dense, 1.0, value=0.25)
    ledger.run("late", dense)
    assert facts(ledger, "finder") == ("adversarial", "exact", "none", "found")
    assert facts(ledger, "late") == ("unknown", "none", "none", "undecided")


def test_an_answer_that_comes_after_the_limit_is_undecided_and_a_late_claim_of_the_contrary_is_missed(ledger, dense):
    robust = ledger.instance("robust", problem="q", network="other", dense_network="other")
    seal(ledger, {dense: ADVERSARIAL, robust: ROBUST})
    late = {"time_limit_seconds": 10.0, "wall_seconds": 10.5}
    ledger.found("cex", dense, 10.25, value=0.25, **late)
    ledger.robust("bound", robust, 10.5, time_limit_seconds=10.0)
    ledger.run("wrong", dense, seed=1, termination="infeasible", **late)
    in_time = {"time_limit_seconds": 10.0}
    ledger.found("early", dense, 10.0, value=0.25, seed=2, **in_time)
    ledger.robust("soon", robust, 10.0, seed=2, **in_time)
    found = {run: ledger.row(run)["planted"] for run in ("cex", "bound", "wrong", "early", "soon")}
    assert found == {
        "cex": "undecided", "bound": "undecided", "wrong": "missed", "early": "found", "soon": "found"
    }  # fmt: skip
    (counted,) = build_leaderboard(ledger.runs()).planted.rows
    assert (counted.runs, counted.found, counted.missed, counted.undecided) == (5, 2, 1, 2)


def test_an_optimum_below_the_planted_value_is_a_fault_even_with_a_counterexample(ledger, dense):
    seal(ledger, {dense: ADVERSARIAL})
    ledger.found("r", dense, 1.0, value=0.125, dual_bound=0.125, termination="optimal", goal="optimize")
    assert facts(ledger) == ("adversarial", "exact", "solver", "found")


def test_a_bound_on_a_surrogate_says_nothing_about_the_dense_network(ledger):
    surrogate = ledger.instance("surrogate", network="pruned")
    seal(ledger, {surrogate: ADVERSARIAL})
    ledger.robust("r", surrogate, 1.0)
    ledger.run("infeasible", surrogate, termination="infeasible")
    assert facts(ledger) == ("unknown", "none", "none", None)
    assert facts(ledger, "infeasible") == ("unknown", "none", "none", None)


@pytest.mark.parametrize(("value", "witness"), [(0.125, "the planted counterexample"), (0.5, "finder")])
def test_the_best_witness_is_named_planted_or_not(ledger, dense, value, witness):
    ledger.found("finder", dense, 1.0, value=value)
    ledger.robust("r", dense, 1.0, bound=-0.5)
    seal(ledger, {dense: ADVERSARIAL})
    assert facts(ledger) == ("unknown", "none", "solver", "missed")
    assert ledger.row("r")["fault_reason"].endswith(f"refuted by {max(value, 0.25)} from {witness}")


@pytest.mark.parametrize(
    ("claim", "lifting", "fault"),
    [
        ({"dual_bound": -0.5}, {"file_violation": 0.375}, "formulation"),
        ({"dual_bound": -0.5}, {"file_value": -0.75}, "formulation"),
        ({"termination": "infeasible"}, {"file_violation": 0.375}, "formulation"),
        ({"dual_bound": -0.5}, {}, "solver"),
        ({"dual_bound": 0.2}, {"file_violation": 0.375}, "solver"),  # 0.125 does not refute this bound
    ],
)
def test_the_seal_does_not_turn_the_fault_of_a_file_into_the_solvers(ledger, dense, claim, lifting, fault):
    """The planted point is not lifted: what the file says of the best other witness against the claim counts."""
    ledger.found("finder", dense, 1.0, value=0.125)
    ledger.run("r", dense, **claim)
    ledger.lift(dense, "finder", 0.125, **lifting)
    without = ledger.row("r")
    seal(ledger, {dense: ADVERSARIAL})
    assert ledger.row("r")["fault"] == fault
    if fault == "formulation":
        assert ledger.row("r")["fault_reason"] == without["fault_reason"]


def test_an_optimum_without_a_bound_claims_otherwise_too(ledger, dense):
    seal(ledger, {dense: ADVERSARIAL})
    ledger.run("r", dense, termination="optimal", claimed_value=-1.0)
    assert facts(ledger) == ("unknown", "none", "solver", "missed")


def test_a_retry_does_not_hide_a_claim_that_only_the_seal_refutes(ledger, dense):
    ledger.robust("r", dense, 1.0)
    ledger.found("r-2", dense, 1.0, value=0.25, attempt=2)
    seal(ledger, {dense: ADVERSARIAL | {"value": 0.5}})
    assert list(ledger.runs().run) == ["r"]
    assert facts(ledger) == ("unknown", "none", "solver", "missed")


def test_the_same_question_under_another_name_is_answered_too(ledger):
    contents = {"property_sha256": "P", "network_sha256": "N", "dense_sha256": "N"}
    planted = ledger.instance("planted", **contents)
    renamed = ledger.instance("renamed", problem="q", network="other", dense_network="other", **contents)
    seal(ledger, {planted: ADVERSARIAL})
    ledger.robust("r", renamed, 1.0)
    assert facts(ledger) == ("unknown", "none", "solver", None)


def test_a_planted_robust_problem_is_found_by_its_bound(ledger, dense):
    seal(ledger, {dense: ROBUST})
    ledger.robust("r", dense, 1.0)
    ledger.run("late", dense, dual_bound=0.5)
    assert facts(ledger) == ("robust", "claimed", "none", "found")
    assert facts(ledger, "late") == ("unknown", "none", "none", "undecided")


@pytest.mark.parametrize(("network", "outcome"), [("net", "missed"), ("pruned", None)])
def test_a_counterexample_of_a_network_that_has_none_accuses_judge_and_construction(ledger, network, outcome):
    digest = ledger.instance("instance", network=network)
    seal(ledger, {digest: ROBUST})
    ledger.found("r", digest, 1.0, value=0.5)
    assert facts(ledger) == ("adversarial", "exact", "formulation", outcome)
    assert ledger.row("r")["fault_reason"] == (
        "r has the value 0.5, but by a planted answer no value exceeds -0.25: judge or construction is broken"
    )


def test_a_value_below_zero_but_above_the_proven_bound_is_a_contradiction_as_well(ledger, dense):
    seal(ledger, {dense: ROBUST})
    ledger.run("r", dense)
    ledger.judge("r", best_exact_value=-0.125)
    assert ledger.row("r")["fault"] == "formulation"
    ledger.run("below", dense)
    ledger.judge("below", best_exact_value=-0.25)
    assert ledger.row("below")["fault"] == "none"


def test_the_leaderboard_counts_and_puts_the_unsound_below_the_line(ledger, dense):
    other = ledger.instance("other", problem="q")
    ledger.instance("third", problem="z")
    seal(ledger, {dense: ADVERSARIAL, other: ROBUST})
    ledger.robust("liar", dense, 1.0, solver="liar")
    ledger.robust("liar2", other, 1.0, solver="liar")
    ledger.found("finder", dense, 1.0, value=0.25)
    ledger.run("late", other)
    ledger.run("elsewhere", "sha-third")
    board = build_leaderboard(ledger.runs())
    assert [(r.setting.solver, r.problems, r.runs, r.found, r.missed, r.undecided) for r in board.planted.rows] == [
        ("highs", 2, 2, 1, 0, 1), ("liar", 2, 2, 1, 1, 0),
    ]  # fmt: skip
    assert [(r.setting.solver, r.below_line) for r in board.settings] == [("highs", False), ("liar", True)]
    text = " ".join(render(board, Format.TABLE, width=200).split())
    assert "Planted answers: 2 problems, 4 runs: 2 found, 1 missed (claimed otherwise), 1 undecided." in text
    assert json.loads(render(board, Format.JSON))["planted"][1] == {
        "setting": "liar", "problems": 2, "runs": 2, "found": 1, "missed": 1, "undecided": 0,
    }  # fmt: skip


def test_without_a_sealed_file_no_fault_is_found(ledger, dense):
    ledger.robust("r", dense, 1.0)
    board = build_leaderboard(ledger.runs())
    assert board.planted == KnownAnswers()
    assert "Planted" not in render(board, Format.TABLE)
    assert build_leaderboard(ledger.runs().iloc[:0]).planted == KnownAnswers()


def test_several_sealed_files_are_one(ledger, dense):
    other = ledger.instance("other", problem="q")
    seal(ledger, {dense: ADVERSARIAL})
    seal(ledger, {dense: ADVERSARIAL, other: ROBUST})
    ledger.robust("r", other, 1.0)
    assert ledger.row("r")["planted"] == AnswerOutcome.FOUND
    path = seal(ledger, {dense: ROBUST})
    with pytest.raises(LedgerError, match="contradicts another sealed file"):
        ledger.runs()
    path.unlink()
    assert ledger.row("r")["planted"] == AnswerOutcome.FOUND


def test_a_changed_sealed_file_is_refused(ledger, dense):
    path = seal(ledger, {dense: ADVERSARIAL})
    path.write_bytes(path.read_bytes().replace(b"0.25", b"0.01"))
    ledger.robust("r", dense, 1.0)
    with pytest.raises(LedgerError, match="is not the file of planted answers that its name says"):
        ledger.runs()
    path.unlink()
    os.mkfifo(path)  # no process ever writes to it
    with pytest.raises(LedgerError, match="is not a file"):
        ledger.runs()


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"format": 2, "problems": []}', b'{"format": 1, "problems": [{}]}', b"\xff",
     b'{"format": 1, "problems": [{"instances": {"a": "b"}, "answer": "unknown"}]}',
     b'{"format": 1, "problems": [{"instances": {"a": "b"}, "answer": "robust", "bound": NaN}]}',
     b'{"format": 1, "problems": [{"instances": {"a": "b"}, "answer": "robust", "bound": 1' + b"0" * 400 + b"}]}",
     b"[" * 100_000,
     b'{"format": 1, "problems": [{"instances": [], "answer": "robust", "bound": -1}]}',
     b'{"format": 1, "problems": [{"instances": {"a": {}}, "answer": "robust", "bound": -1}]}'],
)  # fmt: skip
def test_a_broken_sealed_file_is_one_line(ledger, dense, data):
    sealed_answers.put_sealed(ledger.path.parent, data)
    with pytest.raises(LedgerError, match="is not a file of planted answers") as caught:
        ledger.runs()
    assert "\n" not in str(caught.value)


def test_a_run_of_two_settings_counts_once_below_the_tables(ledger):
    """Eight runs are at own limits. Two of them, of highs on a and b, are at 10 s like the two others, on c and d."""
    add_own_and_given_limits(ledger)
    seal(ledger, {f"sha-{name}": ADVERSARIAL for name in "abcd"})
    board = build_leaderboard(ledger.runs())
    assert [(r.setting.label, r.runs, r.found, r.undecided) for r in board.planted.rows] == [
        ("highs 10 s", 4, 2, 2), ("highs own limits", 4, 4, 0), ("scip own limits", 4, 4, 0),
    ]  # fmt: skip
    text = " ".join(render(board, Format.TABLE, width=200).split())
    assert "Planted answers: 4 problems, 10 runs: 8 found, 0 missed (claimed otherwise), 2 undecided." in text
