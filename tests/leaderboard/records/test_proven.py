"""Proven answers against runs: whose claim is certified, and which runs are at fault."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from support.proven_answers import prove, put_proven
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.records.proven import Proven, ProvenAnswer, best_proven, read_proven
from vnnbench.leaderboard.records.reader import read_runs, read_tables
from vnnbench.leaderboard.tables.render import Format, render
from vnnbench.leaderboard.words import LedgerError

PROOF = "0123456789abcdef" * 4


def robust(digest, upper=-0.25):
    return Proven(digest, ProvenAnswer.ROBUST, None, upper, PROOF)


def adversarial(digest, lower=0.25, upper=None):
    return Proven(digest, ProvenAnswer.ADVERSARIAL, lower, upper, PROOF)


def facts(ledger, *proven, run="r"):
    found = ledger.row(run, *proven)
    return found["verdict"], found["evidence"], found["fault"]


@pytest.fixture
def dense(ledger):
    return ledger.instance("dense")


def test_a_robust_claim_with_a_proven_answer_is_certified(ledger, dense):
    ledger.robust("r", dense, 1.0)
    assert facts(ledger) == ("robust", "claimed", "none")
    assert facts(ledger, robust(dense)) == ("robust", "certificate", "none")


def test_a_bound_that_leaves_the_question_open_is_not_a_certificate(ledger, dense):
    ledger.robust("r", dense, 1.0)
    assert facts(ledger, Proven(dense, ProvenAnswer.OPEN, -1.0, 0.5, PROOF)) == ("robust", "claimed", "none")


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_answers_the_one_with_the_least_upper_bound_counts(ledger, dense, order):
    ledger.robust("r", dense, 1.0)
    answers = [robust(dense), Proven(dense, ProvenAnswer.OPEN, None, 0.5, PROOF)][::order]
    assert facts(ledger, *answers) == ("robust", "certificate", "none")


def test_a_run_that_claims_nothing_is_given_no_verdict_by_a_proof(ledger, dense):
    ledger.run("r", dense, dual_bound=0.5)
    assert facts(ledger, robust(dense)) == ("unknown", "none", "none")


def test_another_problem_or_a_surrogate_is_not_certified(ledger, dense):
    ledger.robust("other", ledger.instance("other", problem="q"), 1.0)
    ledger.robust("surrogate", ledger.instance("surrogate", network="pruned"), 1.0)
    assert facts(ledger, robust(dense), run="other") == ("robust", "claimed", "none")
    assert facts(ledger, robust(dense), run="surrogate") == ("unknown", "none", "none")


def test_the_same_question_under_another_name_is_certified_too(ledger):
    contents = {"property_sha256": "P", "network_sha256": "N", "dense_sha256": "N"}
    asked = ledger.instance("asked", **contents)
    ledger.robust("r", ledger.instance("b", problem="q", network="x", dense_network="x", **contents), 1.0)
    assert facts(ledger, robust(asked)) == ("robust", "certificate", "none")


def test_a_robust_claim_that_a_proven_answer_refutes_is_the_solvers_fault(ledger, dense):
    ledger.robust("r", dense, 1.0, bound=-0.5)
    assert facts(ledger, adversarial(dense)) == ("unknown", "none", "solver")
    reason = ledger.row("r", adversarial(dense))["fault_reason"]
    assert reason == "r claims the bound -0.5, refuted by 0.25 from the proven answer"


def test_infeasible_where_a_value_is_proven_is_the_solvers_fault(ledger, dense):
    ledger.run("r", dense, termination="infeasible")
    assert facts(ledger) == ("unknown", "none", "none")
    assert facts(ledger, adversarial(dense)) == ("unknown", "none", "solver")


def test_a_robust_claim_within_tolerance_of_a_proven_value_is_void_all_the_same(ledger, dense):
    ledger.robust("r", dense, 1.0, bound=-1e-7)
    assert facts(ledger, adversarial(dense, 1e-7)) == ("unknown", "none", "tolerance")


@pytest.mark.parametrize(("value", "witness"), [(0.125, "the proven answer"), (0.25, "finder"), (0.5, "finder")])
def test_the_best_witness_is_named_and_of_equal_ones_the_run(ledger, dense, value, witness):
    ledger.found("finder", dense, 1.0, value=value)
    ledger.robust("r", dense, 1.0, bound=-0.5)
    assert ledger.row("r", adversarial(dense))["fault_reason"].endswith(f"refuted by {max(value, 0.25)} from {witness}")


def test_a_file_that_excludes_another_witness_against_the_claim_is_at_fault_and_not_the_solver(ledger, dense):
    ledger.found("finder", dense, 1.0, value=0.125)
    ledger.robust("r", dense, 1.0, bound=-0.5)
    ledger.lift(dense, "finder", 0.125, file_violation=0.375)
    assert facts(ledger, adversarial(dense)) == ("unknown", "none", "formulation")


@pytest.mark.parametrize(
    ("claimed", "columns", "fault"),
    [
        (-0.25, {}, "none"),
        (-0.25 + 0.9e-4, {}, "none"),  # a claim and its replay may differ by as much
        (-0.25 + 1.1e-4, {}, "solver"),
        (-0.25 + 1.1e-4, {"constant_rounding": 1e-3}, "none"),
        (-0.25 + 1.1e-4, {"tolerance_reach": 1e-3}, "none"),
        (0.5, {"network": "pruned"}, "none"),  # nothing is proven about a surrogate's value
    ],
)
def test_a_solution_above_the_proven_bound_is_the_solvers_fault(ledger, claimed, columns, fault):
    digest = ledger.instance("a", **columns)
    ledger.run("r", digest, claimed_value=claimed)
    assert facts(ledger, robust(digest))[2] == fault
    assert facts(ledger)[2] == "none"


def test_the_fault_of_a_solution_above_the_proven_bound_names_the_proof(ledger, dense):
    ledger.run("r", dense, claimed_value=0.5, termination="optimal")
    reason = ledger.row("r", robust(dense))["fault_reason"]
    assert reason == "claims the value 0.5, but proof 0123456789abcdef shows that no value exceeds -0.25"


def test_a_solution_above_the_proven_bound_that_the_file_has_is_the_formulations_fault(ledger, dense):
    ledger.run("r", dense, claimed_value=0.5)
    ledger.judge("r", file_value=0.5, row_violation=0.0, replayed_value=-0.5)
    assert facts(ledger, robust(dense))[2] == "formulation"
    assert (
        ledger.row("r", robust(dense))["fault_reason"]
        == "the file is satisfied with the value 0.5, but the network gives -0.5"
    )


@pytest.mark.parametrize("network", ["net", "pruned"])
def test_a_value_of_the_dense_network_above_the_proven_bound_accuses_judge_and_proof(ledger, network):
    digest = ledger.instance("instance", network=network)
    ledger.found("r", digest, 1.0, value=0.5)
    assert facts(ledger, robust(digest)) == ("adversarial", "exact", "formulation")
    assert ledger.row("r", robust(digest))["fault_reason"] == (
        "r has the value 0.5, but proof 0123456789abcdef shows that no value exceeds -0.25: judge or proof is broken"
    )
    assert facts(ledger, robust(digest, 0.5)) == ("adversarial", "exact", "none")


def test_a_wrong_run_is_certified_by_no_proof(ledger, dense):
    ledger.robust("r", dense, 1.0, claimed_value=0.5)  # above its own bound
    assert facts(ledger, robust(dense)) == ("unknown", "none", "solver")


def test_leaderboards_count_what_is_certified(ledger, dense):
    other = ledger.instance("other", problem="q", network="b", dense_network="b")
    ledger.robust("certified", dense, 1.0)
    ledger.robust("claimed", other, 1.0)
    (setting,) = build_leaderboard(ledger.runs(robust(dense))).settings
    assert (setting.robust_certified, setting.robust_claimed, setting.solved) == (1, 1, 2)
    board = json.loads(render(build_leaderboard(ledger.runs(robust(dense))), Format.JSON))
    assert board["settings"][0]["robust_certified"] == 1
    assert "cert" in render(build_leaderboard(ledger.runs(robust(dense))), Format.TABLE)


def test_other_queries_hold_claims_against_proven_answers_too(ledger, dense):
    ledger.robust("r", dense, 1.0, bound=-0.5)
    query = "SELECT witness FROM faults WHERE refuted"
    (none,) = read_tables(ledger.path, query)
    prove(ledger.path.parent, [adversarial(dense)])
    (found,) = read_tables(ledger.path, query)
    assert (none["witness"].tolist(), found["witness"].tolist()) == ([], ["the proven answer"])


# -- the files beside a ledger -----------------------------------------------------------------------------------------


def test_an_optimum_is_a_value_with_both_ends_and_no_outcome_of_a_threshold(ledger, dense):
    ledger.run("r", dense, dual_bound=0.0)
    optimum = Proven(dense, ProvenAnswer.VALUE, 0.25, 0.25, PROOF)
    prove(ledger.path.parent, [optimum])
    assert read_proven(ledger.path.parent / "proven") == [optimum]
    assert read_runs(ledger.path)["proven"].tolist() == [None]
    prove(ledger.path.parent, [replace(optimum, upper=None)])
    with pytest.raises(ValueError, match="an end is missing, but the answer is value"):
        read_proven(ledger.path.parent / "proven")


def test_an_answer_holds_for_all_instances_of_its_problem(ledger, dense):
    put_proven(ledger.path.parent, entry(instances={"a": "x", "b": dense}, answer="robust", upper=-0.25))
    assert [one.instance_sha256 for one in read_proven(ledger.path.parent / "proven")] == ["x", dense]


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_copies_with_one_bound_either_certifies(ledger, dense, order):
    """Of a property that is not strict, a bound of 0 leaves the question open that a later proof may decide."""
    ledger.robust("r", dense, 1.0)
    answers = [Proven(dense, answer, None, 0.0, PROOF) for answer in (ProvenAnswer.OPEN, ProvenAnswer.ROBUST)]
    assert facts(ledger, *answers[::order]) == ("robust", "certificate", "none")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (robust("sha-dense"), adversarial("sha-dense", -1.0)),
        (Proven("sha-dense", ProvenAnswer.OPEN, 0.25, None, PROOF), robust("sha-dense", 0.0)),
        (Proven("sha-dense", ProvenAnswer.OPEN, None, 0.125, PROOF), adversarial("sha-dense")),
    ],
)
def test_files_whose_answers_exclude_each_other_are_refused(ledger, dense, one, other):
    for answer in (one, other):
        prove(ledger.path.parent, [answer])
    with pytest.raises(LedgerError, match="contradicts a file of the folder on instance sha-dense"):
        read_runs(ledger.path)


def test_copies_of_answers_that_were_narrowed_later_are_all_read(ledger, dense):
    ledger.robust("r", dense, 1.0)
    for answer in (Proven(dense, ProvenAnswer.OPEN, -1.0, 0.5, PROOF), robust(dense, -0.5)):
        prove(ledger.path.parent, [answer])
    assert read_runs(ledger.path)["evidence"].tolist() == ["certificate"]


def test_of_several_answers_the_decided_and_the_narrowest_is_shown(tmp_path):
    answers = [
        robust("a"),
        *(Proven("a", ProvenAnswer.OPEN, *ends, PROOF) for ends in [(-1.0, -0.5)]),
        *(Proven("b", ProvenAnswer.OPEN, *ends, PROOF) for ends in [(-1.0, 0.5), (-0.5, 0.5), (0.0, None)]),
    ]
    for one in answers:
        prove(tmp_path, [one])
    assert best_proven(tmp_path / "proven") == {"a": answers[0], "b": answers[3]}


def test_a_changed_file_of_proven_answers_is_refused(ledger, dense):
    path = prove(ledger.path.parent, [adversarial(dense)])
    path.write_bytes(path.read_bytes().replace(b"0.25", b"0.01"))
    with pytest.raises(LedgerError, match="is not the file of proven answers that its name says"):
        read_runs(ledger.path)
    path.unlink()
    os.mkfifo(path)  # no process ever writes to it
    with pytest.raises(LedgerError, match="is not a file"):
        read_runs(ledger.path)


def entry(**more):
    answer = {"instances": {"a": "b"}, "answer": "open", "lower": None, "upper": None, "proof": PROOF}
    sizes = {"bytes": 1, "leaves": 0, "seconds": 0.5}
    return json.dumps({"format": 1, "problems": [answer | sizes | more]}).encode()


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"format": 2, "problems": []}', b'{"format": 1, "problems": [{}]}', b"[" * 100_000,
     entry(answer="unknown"), entry(answer="robust"), entry(answer="adversarial", upper=0.0), entry(lower="high"),
     entry(upper=float("nan")), entry(upper=10**400), entry(proof=3), entry(instances={"a": None}),
     entry(instances=[]), entry(bytes="1"), entry(leaves=None), entry(seconds=[])],
)  # fmt: skip
def test_a_broken_file_of_proven_answers_is_one_line(ledger, data):
    put_proven(ledger.path.parent, data)
    with pytest.raises(LedgerError, match="is not a file of proven answers") as caught:
        read_runs(ledger.path)
    assert "\n" not in str(caught.value)
