"""Claims that a point refutes: which points count, and whose fault the claim is."""

from __future__ import annotations

import pytest


def test_bound_refuted_by_the_witness_of_another_run_names_both(ledger):
    sha = ledger.instance("a")
    ledger.robust("liar", sha, 1.0, bound=-0.5)
    ledger.found("witness", sha, 2.0, value=0.25, solver="scip")
    assert ledger.derived("liar") == ("unknown", "none", "solver")
    assert ledger.derived("witness") == ("adversarial", "exact", "none")
    faulty = ledger.runs().query("fault == 'solver'").iloc[0]
    assert faulty["run"] == "liar"
    assert faulty["fault_reason"] == "liar claims the bound -0.5, refuted by 0.25 from witness"


def test_bound_is_refuted_across_formulations(ledger):
    ledger.robust("liar", ledger.instance("a--tight"), 1.0, bound=-0.5)
    ledger.found("witness", ledger.instance("a--surrogatelib", formulation="surrogatelib"), 2.0)
    assert ledger.one("liar")["fault"] == "solver"


def test_dense_bound_is_refuted_by_a_candidate_of_a_surrogate(ledger):
    ledger.robust("liar", ledger.instance("a"), 1.0, bound=-0.5)
    ledger.found("surrogate", ledger.instance("a-mag-u90", network="net-mag-u90"), 2.0, value=0.5)
    assert ledger.one("liar")["fault_reason"] == "liar claims the bound -0.5, refuted by 0.5 from surrogate"


def test_surrogate_bound_is_not_refuted_by_a_value_of_the_dense_network(ledger):
    ledger.robust("s", ledger.instance("a-mag-u90", network="net-mag-u90"), 1.0, bound=-0.5)
    ledger.found("dense", ledger.instance("a"), 2.0, value=0.5)
    assert ledger.one("s")["fault"] == "none"


def test_surrogate_bound_is_refuted_by_a_value_of_the_same_surrogate(ledger):
    sha = ledger.instance("a-mag-u90", network="net-mag-u90")
    ledger.robust("s", sha, 1.0, bound=-0.5)
    ledger.run("other", sha, solver="scip")
    ledger.judge("other", own_value=0.0, best_exact_value=-3.0)
    assert ledger.one("s")["fault_reason"] == "s claims the bound -0.5, refuted by 0.0 from other"


def test_witness_of_another_problem_or_network_refutes_nothing(ledger):
    ledger.robust("r", ledger.instance("a"), 1.0, bound=-0.5)
    ledger.found("w1", ledger.instance("b", problem="q"), 2.0)
    ledger.found("w2", ledger.instance("c", network="net2", dense_network="net2"), 2.0)
    assert ledger.derived("r") == ("robust", "claimed", "none")


def test_bound_below_the_centre_is_refuted_without_any_other_run(ledger):
    ledger.robust("r", ledger.instance("a", centre_value=-0.25), 1.0, bound=-0.5)
    assert ledger.one("r")["fault_reason"] == "r claims the bound -0.5, refuted by -0.25 from the centre of the set"


def test_run_refutes_its_own_bound(ledger):
    ledger.found("r", ledger.instance("a"), 1.0, value=0.5, dual_bound=-0.5)
    assert ledger.derived("r") == ("adversarial", "exact", "solver")


def test_bound_exceeded_within_tolerance_is_shown_but_not_robust(ledger):
    # 0.5e-6 above the bound: within 1e-6 max(1, |v|), so it is not a fault, yet the counterexample is real.
    sha = ledger.instance("a")
    ledger.robust("r", sha, 1.0, bound=0.0)
    ledger.found("w", sha, 2.0, value=0.5e-6)
    assert ledger.derived("r") == ("unknown", "none", "tolerance")
    assert ledger.derived("w") == ("adversarial", "exact", "none")


def test_bound_tolerance_is_relative_and_grants_the_rounding_of_constants(ledger):
    # v = 1000: 1e-6 * 1000 + 5e-4 = 1.5e-3.
    sha = ledger.instance("a", threshold=None, family="maximize", constant_rounding=5e-4)
    ledger.run("close", sha, dual_bound=1000 - 1.4e-3)
    ledger.run("wrong", sha, dual_bound=1000 - 1.6e-3, solver="scip")
    ledger.run("w", sha, solver="gurobi")
    ledger.judge("w", confirmed=1, evidence="exact", own_value=1000.0, best_exact_value=1000.0)
    assert ledger.one("close")["fault"] == "tolerance"
    assert ledger.one("wrong")["fault"] == "solver"


def test_refutation_is_reported_even_where_the_allowed_rounding_is_impossible(ledger):
    ledger.robust("r", ledger.instance("a", constant_rounding=-1.0, centre_value=-0.75), 1.0, bound=-0.5)
    assert ledger.one("r")["fault_reason"] == "r claims the bound -0.5, refuted by -0.75 from the centre of the set"


@pytest.mark.parametrize("rounding", [-float("inf"), float("inf")])
def test_infeasible_is_refuted_whatever_rounding_is_allowed(ledger, rounding):
    ledger.run("r", ledger.instance("a", constant_rounding=rounding, centre_value=-0.75), termination="infeasible")
    assert ledger.one("r")["fault"] == "solver"


def test_infeasible_is_a_solver_fault_where_a_point_is_known(ledger):
    ledger.run("r", ledger.instance("a", centre_value=-1.0), termination="infeasible")
    assert ledger.one("r")["fault_reason"] == "r claims infeasible, refuted by -1.0 from the centre of the set"


def test_infeasible_is_not_a_fault_where_no_point_is_known(ledger):
    sha = ledger.instance("a", family="train", threshold=None)
    ledger.run("r", sha, termination="infeasible")
    assert ledger.one("r")["fault"] == "none"
    ledger.run("w", sha, solver="scip")
    ledger.judge("w", own_value=-2.0)
    assert ledger.one("r")["fault_reason"] == "r claims infeasible, refuted by -2.0 from w"


def test_unbounded_is_a_solver_fault(ledger):
    ledger.run("r", ledger.instance("a"), termination="unbounded")
    assert ledger.one("r")["fault"] == "solver"


# -- points by content -----------------------------------------------------------------------------------------------


def contents(letter, network="N"):
    """Return the hashes of a dense instance."""
    return {"property_sha256": letter, "network_sha256": network, "dense_sha256": network}


def test_witness_of_the_same_contents_refutes_whatever_it_is_called(ledger):
    ledger.robust("liar", ledger.instance("a", **contents("P")), 1.0, bound=-0.5)
    ledger.found("w", ledger.instance("b", problem="q", network="x", dense_network="x", **contents("P")), 2.0)
    assert ledger.one("liar")["fault_reason"] == "liar claims the bound -0.5, refuted by 0.5 from w"


@pytest.mark.parametrize("other", [contents("Q"), contents("P", "M")])
def test_witness_of_the_same_names_but_other_contents_refutes_nothing(ledger, other):
    ledger.robust("r", ledger.instance("a", **contents("P")), 1.0, bound=-0.5)
    ledger.found("w", ledger.instance("b", **other), 2.0)
    assert ledger.derived("r") == ("robust", "claimed", "none")


def test_older_rows_are_identified_by_names_whose_contents_newer_rows_state(ledger):
    """The run `old` has names alone; `new` says what they stand for, and so does `renamed`, which has other names."""
    ledger.robust("claim", ledger.instance("old"), 1.0, bound=-0.5)
    ledger.instance("new", **contents("P"))
    ledger.found("w", ledger.instance("renamed", problem="q", network="x", dense_network="x", **contents("P")), 2.0)
    assert ledger.one("claim")["fault"] == "solver"


def test_older_rows_match_each_other_by_name_where_newer_ones_disagree_about_it(ledger):
    ledger.robust("claim", ledger.instance("old"), 1.0, bound=-0.5)
    ledger.found("w", ledger.instance("new", **contents("P")), 2.0)
    assert ledger.one("claim")["fault"] == "solver"
    ledger.instance("newer", **contents("Q", "M"))
    assert ledger.one("claim")["fault"] == "none"
    ledger.found("v", ledger.instance("older"), 2.0)
    assert ledger.one("claim")["fault"] == "solver"


# -- what the file says of a point -----------------------------------------------------------------------------------


def refuted(ledger, **lifting):
    """Add a bound -0.5 that 0.25 from another run refutes, and what the file says of that point."""
    sha = ledger.instance("a")
    ledger.robust("claim", sha, 1.0, bound=-0.5)
    ledger.found("w", sha, 2.0, value=0.25, solver="scip")
    ledger.lift(sha, "w", 0.25, **lifting)
    return ledger.one("claim")


@pytest.mark.parametrize(
    "lifting",
    [{}, {"file_violation": 0.9e-5}, {"file_violation": None, "file_value": None}, {"file_value": -0.5 + 1.1e-6}],
)
def test_file_that_has_the_witness_or_says_nothing_leaves_the_fault_with_the_solver(ledger, lifting):
    row = refuted(ledger, **lifting)
    assert (row["fault"], row["fault_reason"]) == ("solver", "claim claims the bound -0.5, refuted by 0.25 from w")


def test_file_that_excludes_the_witness_is_the_formulations_fault_and_both_runs_are_named(ledger):
    row = refuted(ledger, file_violation=1.1e-5)
    assert (row["verdict"], row["fault"]) == ("unknown", "formulation")
    assert row["fault_reason"] == (
        "the file excludes the point of w with the value 0.25, violated by 1.1e-05; claim claims the bound -0.5"
    )


def test_file_that_undervalues_the_witness_is_the_formulations_fault(ledger):
    row = refuted(ledger, file_value=-0.5 + 0.9e-6)
    assert row["fault"] == "formulation"
    assert "gives the point of w the value -0.4999991, but its network gives 0.25; claim claims" in row["fault_reason"]


def test_lifting_of_a_witness_that_is_not_the_best_any_more_is_ignored(ledger):
    assert refuted(ledger, file_violation=1.0)["fault"] == "formulation"
    ledger.found("better", "sha-a", 2.0, value=0.75, solver="gurobi")
    assert ledger.one("claim")["fault_reason"] == "claim claims the bound -0.5, refuted by 0.75 from better"


def test_misreports_of_the_solver_come_before_faults_of_the_formulation(ledger):
    sha = ledger.instance("a")
    ledger.run("r", sha, dual_bound=-0.5, claimed_value=-0.6)
    ledger.judge("r", file_value=-2.0, row_violation=0.0)
    ledger.found("w", sha, 2.0, value=0.25, solver="scip")
    ledger.lift(sha, "w", 0.25, file_violation=1.0)
    assert ledger.one("r")["fault_reason"] == "claims the value -0.6, but its columns give -2.0 in the file"


# -- claims that refute themselves, and optima -----------------------------------------------------------------------


@pytest.mark.parametrize(("beyond", "fault"), [(0.9e-6, "none"), (0.9e-4, "tolerance"), (1.1e-4, "solver")])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_claimed_value_above_its_own_bound_is_a_fault_beyond_the_tolerance_of_claims(ledger, beyond, fault, scale):
    sha = ledger.instance("a", threshold=None, family="maximize")
    ledger.run("r", sha, claimed_value=scale, dual_bound=scale - scale * beyond)
    row = ledger.one("r")
    assert row["fault"] == fault
    assert fault == "none" or "above its own bound" in row["fault_reason"]


def optimal(ledger, **columns):
    """Add an optimum of -0.5 without a dual bound, where 0.25 is reached."""
    sha = ledger.instance("a")
    ledger.run("r", sha, **({"termination": "optimal", "claimed_value": -0.5} | columns))
    ledger.found("w", sha, 2.0, value=0.25, solver="scip")
    return ledger.one("r")


def test_optimum_without_a_dual_bound_is_refuted_like_a_bound(ledger):
    row = optimal(ledger)
    assert row["fault_reason"] == "r claims the optimum -0.5, refuted by 0.25 from w"
    assert row["dual_bound"] is None


@pytest.mark.parametrize(
    "columns",
    [
        {"settings": '{"mip_gap": 0.01}'},
        {"settings": '{"limits/gap": 0.01, "seed": 1}'},
        {"settings": "no JSON"},
        {"dual_bound": 0.5, "settings": '{"mip_gap": 2.0}'},
        {"termination": "time_limit"},
        {"claimed_value": None},
    ],
)
def test_optimum_within_a_gap_or_no_optimum_claims_nothing_about_other_values(ledger, columns):
    assert optimal(ledger, **columns)["fault"] == "none"


def test_optimum_without_a_dual_bound_does_not_make_a_run_robust(ledger):
    ledger.run("r", ledger.instance("a"), termination="optimal", claimed_value=-0.5)
    assert ledger.derived("r") == ("unknown", "none", "none")


@pytest.mark.parametrize("absent", [None, float("nan")])  # SQLite has no NaN: it stores null
def test_missing_numbers_refute_and_claim_nothing(ledger, absent):
    sha = ledger.instance("a")
    ledger.run("r", sha, termination="optimal", claimed_value=absent, dual_bound=absent)
    ledger.judge("r", own_value=absent, best_exact_value=absent, file_value=absent, row_violation=absent)
    assert ledger.derived("r") == ("unknown", "none", "none")


# -- instances whose numbers a solver's tolerances can move ----------------------------------------------------------


@pytest.mark.parametrize(("reach", "fault"), [(None, "solver"), (9e-4, "solver"), (0.1, "solver"), (0.5, "tolerance")])
def test_a_bound_is_allowed_what_tolerances_move_where_that_is_warned_of(ledger, reach, fault):
    gap = 3e-4 if reach == 9e-4 else 0.3  # a warning starts above 1e-3
    sha = ledger.instance("a", tolerance_reach=reach, centre_value=1.0)
    ledger.run("r", sha, termination="optimal", claimed_value=1.0 - gap, dual_bound=1.0 - gap)
    ledger.lift(sha, "the centre of the set", 1.0)
    assert ledger.one("r")["fault"] == fault


def test_infeasible_is_refuted_whatever_tolerances_move(ledger):
    sha = ledger.instance("a", tolerance_reach=0.5, centre_value=-1.0)
    ledger.run("r", sha, termination="infeasible")
    assert ledger.one("r")["fault"] == "solver"
