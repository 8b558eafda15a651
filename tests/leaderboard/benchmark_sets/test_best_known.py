"""Best known objective values are verified, claimed, or unknown."""

from __future__ import annotations

import hashlib
import json

import pytest

from support.proven_answers import prove
from vnnbench.leaderboard.benchmark_sets import best_known
from vnnbench.leaderboard.benchmark_sets.best_known import Known, answers_json, read_answers, solu_text
from vnnbench.leaderboard.records.proven import Proven, ProvenAnswer
from vnnbench.leaderboard.records.refutation import CENTRE
from vnnbench.leaderboard.words import SUBMITTED


@pytest.fixture
def known(ledger):
    """A function that returns (what is known, objective) by instance."""
    return lambda: {answer.instance: (answer.known, answer.objective) for answer in read_answers(ledger.path)}


def optimum(ledger, run, sha, value, bound, **columns):
    """Add a run that verified this value and claims this bound on it."""
    ledger.run(run, sha, claimed_value=value, dual_bound=bound, termination="optimal", goal="optimize", **columns)
    ledger.judge(run, best_exact_value=value, own_value=value, evidence="exact")


def test_verified_value_that_meets_the_bound_is_the_optimum(ledger, known):
    optimum(ledger, "r", ledger.instance("a"), 0.5, 0.5 + 1e-6)
    assert known() == {"a": (Known.OPTIMAL, -0.5)}
    assert solu_text(read_answers(ledger.path)) == "=opt= a -0.5\n"


def test_bound_that_does_not_meet_the_value_leaves_it_the_best(ledger, known):
    optimum(ledger, "r", ledger.instance("a"), 0.5, 0.5 + 2e-6)
    assert known() == {"a": (Known.BEST, -0.5)}


def test_rounding_of_constants_is_room_for_the_bound(ledger, known):
    optimum(ledger, "r", ledger.instance("a", constant_rounding=1e-5), 0.5, 0.5 + 1e-5)
    assert known() == {"a": (Known.OPTIMAL, -0.5)}


def test_optimum_without_a_bound_is_one_unless_a_gap_was_allowed(ledger, known):
    optimum(ledger, "r", ledger.instance("a"), 0.5, None)
    optimum(ledger, "s", ledger.instance("b", problem="q"), 0.5, None, settings='{"mip_gap": 0.1}')
    assert known() == {"a": (Known.OPTIMAL, -0.5), "b": (Known.BEST, -0.5)}


def test_claimed_value_is_not_counted_as_a_value(ledger, known):
    ledger.run("r", ledger.instance("a"), claimed_value=0.5, dual_bound=0.5, termination="optimal")
    assert known() == {"a": (Known.UNKNOWN, None)}
    assert solu_text(read_answers(ledger.path)) == "=unkn= a\n"


def test_claim_of_infeasibility_is_unknown(ledger, known):
    ledger.run("r", ledger.instance("a"), termination="infeasible")
    assert known() == {"a": (Known.UNKNOWN, None)}


def test_refuted_bound_makes_no_optimum(ledger, known):
    sha = ledger.instance("a")
    ledger.run("r", sha, dual_bound=0.25)
    ledger.found("s", sha, 1.0, value=0.5)
    assert known() == {"a": (Known.BEST, -0.5)}
    ledger.run("t", sha, dual_bound=0.5, seed=1)
    assert known() == {"a": (Known.OPTIMAL, -0.5)}


def test_value_of_any_run_on_the_same_question_and_network_counts(ledger, known):
    """The surrogate's candidate reaches 0.7 on the dense network; a bound is on one file only."""
    optimum(ledger, "r", ledger.instance("a"), 0.5, 0.7)
    surrogate = ledger.instance("b", network="pruned")
    ledger.run("s", surrogate)
    ledger.judge("s", best_exact_value=0.7, own_value=0.9)
    ledger.instance("c", formulation="surrogatelib")
    ledger.instance("d", problem="other")
    assert known() == {
        "a": (Known.OPTIMAL, -0.7), "b": (Known.BEST, -0.9), "c": (Known.BEST, -0.7), "d": (Known.UNKNOWN, None),
    }  # fmt: skip


def test_centre_is_a_verified_value(ledger):
    ledger.instance("a", centre_value=-0.25)
    (answer,) = read_answers(ledger.path)
    assert (answer.known, answer.objective, answer.value_from) == (Known.BEST, 0.25, CENTRE)


def test_optimum_of_a_file_that_is_not_its_network_is_unknown(ledger, known):
    sha = ledger.instance("a", centre_value=0.25)
    ledger.run("r", sha, claimed_value=0.75, dual_bound=0.75, termination="optimal")
    ledger.judge("r", file_value=0.75, row_violation=0.0, replayed_value=0.5, best_exact_value=0.5, own_value=0.5)
    assert ledger.one("r")["fault"] == "formulation"
    assert known() == {"a": (Known.UNKNOWN, None)}


def test_planted_answers_stay_sealed(ledger, known):
    folder = ledger.path.parent / "sealed"
    folder.mkdir()
    sha = ledger.instance("a", centre_value=-0.5)
    entry = {"answer": "adversarial", "value": 0.5, "instances": {"a": sha}}
    data = json.dumps({"format": 1, "problems": [entry]}).encode()
    (folder / f"{hashlib.sha256(data).hexdigest()}.json").write_bytes(data)
    assert known() == {"a": (Known.BEST, 0.5)}


PROOF = "0123456789abcdef" * 4


def proven(ledger, *answers):
    """Prove (instance, answer, lower, upper)."""
    prove(ledger.path.parent, [Proven(sha, ProvenAnswer(word), *ends, PROOF) for sha, word, *ends in answers])


def test_proven_value_and_bound_that_meet_are_the_optimum_without_a_run(ledger, known):
    sha = ledger.instance("a", threshold=None)
    proven(ledger, (sha, "open", 0.5, 0.5 + 1e-6))
    assert known() == {"a": (Known.OPTIMAL, -0.5)}
    (answer,) = read_answers(ledger.path)
    assert (answer.value_from, answer.bound_from, answer.bound_solver, answer.bound_machine) == (
        f"proof {PROOF}", f"proof {PROOF}", None, None,
    )  # fmt: skip
    assert solu_text([answer]) == "=opt= a -0.5\n"


def test_proven_interval_that_is_open_gives_its_value(ledger, known):
    proven(ledger, (ledger.instance("a"), "adversarial", 0.5, 0.75))
    assert known() == {"a": (Known.BEST, -0.5)}
    assert read_answers(ledger.path)[0].objective_bound == -0.75


def test_proven_bound_makes_a_merged_value_an_optimum(ledger, known):
    ledger.machine(f"{SUBMITTED}m2")
    sha = ledger.instance("a")
    optimum(ledger, "r", sha, -0.5, -0.5, machine=f"{SUBMITTED}m2")
    assert known() == {"a": (Known.BEST, 0.5)}
    proven(ledger, (sha, "robust", None, -0.5))
    assert known() == {"a": (Known.OPTIMAL, 0.5)}
    assert read_answers(ledger.path)[0].bound_from == f"proof {PROOF}"


@pytest.mark.parametrize(
    ("upper", "bound", "source"), [(0.75, 0.625, "r"), (0.625, 0.75, "proof"), (0.5 + 5e-7, 0.5, "proof")]
)
def test_the_better_bound_is_named_and_a_proof_that_is_enough(ledger, upper, bound, source):
    sha = ledger.instance("a", centre_value=0.5)
    ledger.run("r", sha, dual_bound=bound)
    proven(ledger, (sha, "open", None, upper))
    (answer,) = read_answers(ledger.path)
    assert answer.bound_from.partition(" ")[0] == source
    assert answer.objective_bound == -(bound if source == "r" else upper)


def test_proven_answers_are_about_every_file_of_the_dense_network_and_not_about_surrogates(ledger, known):
    dense = ledger.instance("a")
    ledger.instance("b", formulation="surrogatelib")
    ledger.instance("c", network="pruned")
    proven(ledger, (dense, "adversarial", 0.5, 0.5))
    assert known() == {"a": (Known.OPTIMAL, -0.5), "b": (Known.OPTIMAL, -0.5), "c": (Known.UNKNOWN, None)}


def test_only_a_proof_says_that_there_is_no_value(ledger, known):
    """Of two problems without a threshold: one has a value nowhere in the set, the other is not decided."""
    a = ledger.instance("a", family="closest", threshold=None)
    b = ledger.instance("b", problem="q", family="closest", threshold=None)
    for sha in (a, b):
        ledger.run(f"r{sha}", sha, termination="infeasible")
    proven(ledger, (a, "robust", None, -2.0), (b, "open", None, -1.0))
    assert known() == {"a": (Known.INFEASIBLE, None), "b": (Known.UNKNOWN, None)}
    assert solu_text(read_answers(ledger.path)) == "=inf= a\n=unkn= b\n"


def test_a_proof_of_robustness_leaves_the_file_its_solutions(ledger, known):
    proven(ledger, (ledger.instance("a"), "robust", None, -0.5))
    assert known() == {"a": (Known.UNKNOWN, None)}


def test_a_proof_about_a_file_that_is_not_its_network_proves_nothing_about_the_file(ledger, known):
    sha = ledger.instance("a", threshold=None)
    proven(ledger, (sha, "robust", None, -2.0))
    ledger.run("r", sha, claimed_value=0.75, termination="optimal")
    ledger.judge("r", file_value=0.75, row_violation=0.0, replayed_value=0.5)
    assert ledger.one("r")["fault"] == "formulation"
    assert known() == {"a": (Known.UNKNOWN, None)}


def test_json_says_whose_the_bound_is(ledger):
    optimum(ledger, "r", ledger.instance("a"), 0.5, 0.75)
    optimum(ledger, "s", "sha-a", 0.25, 0.5, solver="scip", solver_version="9", seed=1)
    assert json.loads(answers_json(read_answers(ledger.path))) == [
        {
            "instance": "a", "instance_sha256": "sha-a", "known": "opt", "objective": -0.5, "value_from": "r",
            "objective_bound": -0.5, "bound_from": "s", "bound_solver": "scip 9", "bound_machine": "m1",
            "submitted_objective_bound": None, "submitted_bound_from": None, "submitted_bound_solver": None,
            "submitted_bound_machine": None, "submitted_meets": False,
        }
    ]  # fmt: skip


def test_submitted_bound_makes_no_optimum_and_is_marked(ledger):
    """A submitted bound cannot be checked here; a bound of a run made here counts, and no better claim hides it."""
    ledger.machine(f"{SUBMITTED}m2")
    sha = ledger.instance("a", centre_value=0.5)
    ledger.run("forged", sha, dual_bound=0.5, solver="gurobi", solver_version="13", machine=f"{SUBMITTED}m2")
    ledger.run("own", sha, dual_bound=0.75)
    (answer,) = json.loads(answers_json(read_answers(ledger.path)))
    assert (answer["known"], answer["objective_bound"], answer["bound_from"]) == ("best", -0.75, "own")
    assert (answer["submitted_objective_bound"], answer["submitted_bound_solver"]) == (-0.5, "gurobi 13")
    assert (answer["submitted_bound_from"], answer["submitted_meets"]) == ("forged", True)
    ledger.run("better", sha, dual_bound=0.5 + 1e-7, seed=1)
    (answer,) = read_answers(ledger.path)
    assert (answer.known, answer.bound_from, answer.bound_machine) == (Known.OPTIMAL, "better", "m1")


def test_infinite_bounds_and_values_are_missing(ledger):
    sha = ledger.instance("a")
    ledger.run("r", sha, dual_bound=float("inf"))
    ledger.judge("r", own_value=float("inf"), best_exact_value=float("-inf"))
    (answer,) = read_answers(ledger.path)
    assert (answer.known, answer.objective, answer.objective_bound) == (Known.UNKNOWN, None, None)


def test_objective_of_zero_has_no_sign_and_numbers_read_back(ledger):
    ledger.instance("a", centre_value=0.0)
    ledger.instance("b", problem="q", centre_value=0.1 + 0.2)
    assert solu_text(read_answers(ledger.path)) == "=best= a 0.0\n=best= b -0.30000000000000004\n"


def test_instances_of_one_name_get_different_lines(ledger):
    """A ledger may have two versions of a library, and two lines of one name would contradict each other."""
    optimum(ledger, "r", ledger.instance("a", instance_sha256="0123456789"), 0.5, 0.5)
    ledger.instance("a", instance_sha256="abcdefghijk", problem="q", centre_value=-0.25)
    assert solu_text(read_answers(ledger.path)) == "=opt= a@01234567 -0.5\n=best= a@abcdefgh 0.25\n"


def test_hostile_name_stays_one_word(ledger):
    ledger.instance("a\n=opt= b 1")
    assert solu_text(read_answers(ledger.path)) == "=unkn= a\\n=opt=\\x20b\\x201\n"


def test_every_run_is_looked_up_once(ledger):
    """Scans would take minutes for 100,000 runs, a hundred on each instance."""
    plan = [row[3] for row in ledger.connection.execute(f"EXPLAIN QUERY PLAN {best_known._BOUNDS}")]
    assert not any("SCAN results" in step for step in plan)  # a scan would read all runs for each of them
