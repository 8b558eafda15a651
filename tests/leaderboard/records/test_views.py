"""The view `runs`: verdict, evidence and fault of each run, from stored facts alone."""

from __future__ import annotations

import pytest

from vnnbench.leaderboard.records.views import REFUTED_CLAIMS


def derived(ledger, run):
    row = ledger.one(run)
    return row["verdict"], row["evidence"], row["fault"]


# -- verdicts --------------------------------------------------------------------------------------------------------


def test_confirmed_candidate_is_adversarial(ledger):
    ledger.found("r", ledger.instance("a"), 3.0)
    assert derived(ledger, "r") == ("adversarial", "exact", "none")
    assert ledger.one("r")["first_success_seconds"] == 3.0


def test_repaired_candidate_is_adversarial_without_success(ledger):
    ledger.run("r", ledger.instance("a"))
    ledger.judge("r", confirmed=1, evidence="repaired", best_exact_value=0.1, raw_violation=1e-3)
    assert derived(ledger, "r") == ("adversarial", "repaired", "tolerance")
    assert ledger.one("r")["first_success_seconds"] is None


def test_dual_bound_below_threshold_on_the_dense_network_is_a_robust_claim(ledger):
    ledger.robust("r", ledger.instance("a"), 1.0, bound=-0.5)
    assert derived(ledger, "r") == ("robust", "claimed", "none")


def test_dual_bound_within_constant_rounding_of_the_threshold_proves_nothing(ledger):
    ledger.robust("r", ledger.instance("a", constant_rounding=1e-6), 1.0, bound=-1e-7)
    assert derived(ledger, "r") == ("unknown", "none", "none")


@pytest.mark.parametrize(("strict", "verdict"), [(1, "robust"), (0, "unknown")])
def test_bound_at_the_threshold_rules_out_only_strict_properties(ledger, strict, verdict):
    ledger.robust("r", ledger.instance("a", strict=strict), 1.0, bound=0.0)
    assert ledger.one("r")["verdict"] == verdict


def test_surrogate_is_never_robust(ledger):
    ledger.robust("r", ledger.instance("a", network="net-mag-u90"), 1.0, bound=-5.0)
    assert derived(ledger, "r") == ("unknown", "none", "none")


def test_no_threshold_means_value(ledger):
    sha = ledger.instance("a", family="maximize", threshold=None)
    ledger.run("r", sha, goal="optimize", termination="optimal", claimed_value=2.0, dual_bound=2.0)
    ledger.judge("r", confirmed=1, evidence="exact", best_exact_value=2.0, own_value=2.0)
    assert derived(ledger, "r") == ("value", "exact", "none")


def test_no_threshold_is_never_robust(ledger):
    ledger.robust("r", ledger.instance("a", family="maximize", threshold=None), 1.0)
    assert derived(ledger, "r") == ("unknown", "none", "none")


def test_infeasible_or_unbounded_proves_nothing(ledger):
    ledger.run("r", ledger.instance("a", centre_value=-1.0), termination="infeasible_or_unbounded")
    assert derived(ledger, "r") == ("unknown", "none", "none")


def test_licence_limit_is_unknown_and_no_fault(ledger):
    ledger.run("r", ledger.instance("a", centre_value=-1.0), termination="license_limit", wall_seconds=0.1)
    assert derived(ledger, "r") == ("unknown", "none", "none")


def test_crash_says_nothing_and_stays_null(ledger):
    ledger.run("r", ledger.instance("a"), termination=None, ended_by="crash")
    assert derived(ledger, "r") == ("unknown", "none", "none")
    row = ledger.runs().iloc[0]
    assert row["termination"] is None or row["termination"] != row["termination"]


# -- contradictions --------------------------------------------------------------------------------------------------


def test_bound_refuted_by_the_witness_of_another_run_names_both(ledger):
    sha = ledger.instance("a")
    ledger.robust("liar", sha, 1.0, bound=-0.5)
    ledger.found("witness", sha, 2.0, value=0.25, solver="scip")
    assert derived(ledger, "liar") == ("unknown", "none", "solver")
    assert derived(ledger, "witness") == ("adversarial", "exact", "none")
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
    assert derived(ledger, "r") == ("robust", "claimed", "none")


def test_bound_below_the_centre_is_refuted_without_any_other_run(ledger):
    ledger.robust("r", ledger.instance("a", centre_value=-0.25), 1.0, bound=-0.5)
    assert ledger.one("r")["fault_reason"] == "r claims the bound -0.5, refuted by -0.25 from the centre of the set"


def test_run_refutes_its_own_bound(ledger):
    ledger.found("r", ledger.instance("a"), 1.0, value=0.5, dual_bound=-0.5)
    assert derived(ledger, "r") == ("adversarial", "exact", "solver")


def test_bound_exceeded_within_tolerance_is_shown_but_not_robust(ledger):
    # 0.5e-6 above the bound: within 1e-6 max(1, |v|), so nobody is wrong, yet the counterexample is real.
    sha = ledger.instance("a")
    ledger.robust("r", sha, 1.0, bound=0.0)
    ledger.found("w", sha, 2.0, value=0.5e-6)
    assert derived(ledger, "r") == ("unknown", "none", "tolerance")
    assert derived(ledger, "w") == ("adversarial", "exact", "none")


def test_bound_tolerance_is_relative_and_grants_the_rounding_of_constants(ledger):
    # v = 1000: 1e-6 * 1000 + 5e-4 = 1.5e-3.
    sha = ledger.instance("a", threshold=None, family="maximize", constant_rounding=5e-4)
    ledger.run("close", sha, dual_bound=1000 - 1.4e-3)
    ledger.run("wrong", sha, dual_bound=1000 - 1.6e-3, solver="scip")
    ledger.run("w", sha, solver="gurobi")
    ledger.judge("w", confirmed=1, evidence="exact", own_value=1000.0, best_exact_value=1000.0)
    assert ledger.one("close")["fault"] == "tolerance"
    assert ledger.one("wrong")["fault"] == "solver"


def test_refutation_is_told_even_where_the_allowed_rounding_is_none_that_can_be(ledger):
    ledger.robust("r", ledger.instance("a", constant_rounding=-1.0, centre_value=-0.75), 1.0, bound=-0.5)
    assert ledger.one("r")["fault_reason"] == "r claims the bound -0.5, refuted by -0.75 from the centre of the set"


@pytest.mark.parametrize("rounding", [-float("inf"), float("inf")])
def test_infeasible_is_refuted_whatever_rounding_is_allowed(ledger, rounding):
    ledger.run("r", ledger.instance("a", constant_rounding=rounding, centre_value=-0.75), termination="infeasible")
    assert ledger.one("r")["fault"] == "solver"


def test_infeasible_is_a_solver_fault_where_a_point_is_known(ledger):
    ledger.run("r", ledger.instance("a", centre_value=-1.0), termination="infeasible")
    assert ledger.one("r")["fault_reason"] == "r claims infeasible, refuted by -1.0 from the centre of the set"


def test_infeasible_is_no_fault_where_no_point_is_known(ledger):
    sha = ledger.instance("a", family="train", threshold=None)
    ledger.run("r", sha, termination="infeasible")
    assert ledger.one("r")["fault"] == "none"
    ledger.run("w", sha, solver="scip")
    ledger.judge("w", own_value=-2.0)
    assert ledger.one("r")["fault_reason"] == "r claims infeasible, refuted by -2.0 from w"


def test_unbounded_is_a_solver_fault(ledger):
    ledger.run("r", ledger.instance("a"), termination="unbounded")
    assert ledger.one("r")["fault"] == "solver"


# -- witnesses by content --------------------------------------------------------------------------------------------


def contents(letter, network="N"):
    """The hashes of a dense instance."""
    return {"property_sha256": letter, "network_sha256": network, "dense_sha256": network}


def test_witness_of_the_same_contents_refutes_whatever_it_is_called(ledger):
    ledger.robust("liar", ledger.instance("a", **contents("P")), 1.0, bound=-0.5)
    ledger.found("w", ledger.instance("b", problem="q", network="x", dense_network="x", **contents("P")), 2.0)
    assert ledger.one("liar")["fault_reason"] == "liar claims the bound -0.5, refuted by 0.5 from w"


@pytest.mark.parametrize("other", [contents("Q"), contents("P", "M")])
def test_witness_of_the_same_names_but_other_contents_refutes_nothing(ledger, other):
    ledger.robust("r", ledger.instance("a", **contents("P")), 1.0, bound=-0.5)
    ledger.found("w", ledger.instance("b", **other), 2.0)
    assert derived(ledger, "r") == ("robust", "claimed", "none")


def test_older_rows_are_known_by_the_names_whose_contents_newer_rows_tell(ledger):
    """`old` has names alone; `new` tells what they stand for, and so does `renamed`, which has other names."""
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


# -- claims about the file -------------------------------------------------------------------------------------------


def refuted(ledger, **lifting):
    """A bound -0.5 refuted by 0.25 from another run, and what the file says of that."""
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
    assert "gives the point of w the value -0.4999991, its network 0.25; claim claims" in row["fault_reason"]


def test_lifting_of_a_witness_that_is_no_longer_the_best_is_of_no_use(ledger):
    assert refuted(ledger, file_violation=1.0)["fault"] == "formulation"
    ledger.found("better", "sha-a", 2.0, value=0.75, solver="gurobi")
    assert ledger.one("claim")["fault_reason"] == "claim claims the bound -0.5, refuted by 0.75 from better"


def test_what_the_solver_misreports_itself_comes_before_the_formulation(ledger):
    sha = ledger.instance("a")
    ledger.run("r", sha, dual_bound=-0.5, claimed_value=-0.6)
    ledger.judge("r", file_value=-2.0, row_violation=0.0)
    ledger.found("w", sha, 2.0, value=0.25, solver="scip")
    ledger.lift(sha, "w", 0.25, file_violation=1.0)
    assert ledger.one("r")["fault_reason"] == "claims the value -0.6, its columns give -2.0 in the file"


@pytest.mark.parametrize(("beyond", "fault"), [(0.9e-6, "none"), (0.9e-4, "tolerance"), (1.1e-4, "solver")])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_claimed_value_above_its_own_bound_is_a_fault_beyond_the_tolerance_of_claims(ledger, beyond, fault, scale):
    sha = ledger.instance("a", threshold=None, family="maximize")
    ledger.run("r", sha, claimed_value=scale, dual_bound=scale - scale * beyond)
    row = ledger.one("r")
    assert row["fault"] == fault
    assert fault == "none" or "above its own bound" in row["fault_reason"]


def optimal(ledger, **columns):
    """An optimum of -0.5 without a dual bound, where 0.25 is reached."""
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


def test_optimum_that_is_none_does_not_make_a_run_robust(ledger):
    ledger.run("r", ledger.instance("a"), termination="optimal", claimed_value=-0.5)
    assert derived(ledger, "r") == ("unknown", "none", "none")


@pytest.mark.parametrize("absent", [None, float("nan")])  # SQLite has no NaN: it stores null
def test_numbers_that_are_none_refute_and_claim_nothing(ledger, absent):
    sha = ledger.instance("a")
    ledger.run("r", sha, termination="optimal", claimed_value=absent, dual_bound=absent)
    ledger.judge("r", own_value=absent, best_exact_value=absent, file_value=absent, row_violation=absent)
    assert derived(ledger, "r") == ("unknown", "none", "none")


# -- attempts --------------------------------------------------------------------------------------------------------


def runs_by_key(ledger):
    return {row.run.split("-")[0]: row for row in ledger.runs().itertuples()}


def test_newest_attempt_counts_and_there_is_one_row_for_each_run(ledger):
    sha = ledger.instance("a")
    ledger.run("r", sha, ended_by="crash", termination=None)
    ledger.run("r-2", sha, attempt=2, termination="error")
    ledger.robust("r-10", sha, 1.0, attempt=10)
    ledger.run("s", sha, seed=1)
    runs = runs_by_key(ledger)
    assert len(ledger.runs()) == len(runs) == 2
    assert (runs["r"].run, runs["r"].attempt, runs["r"].attempts, runs["r"].verdict) == ("r-10", 10, 3, "robust")
    assert (runs["s"].attempt, runs["s"].attempts) == (1, 1)


def test_retry_cannot_hide_a_wrong_attempt(ledger):
    sha = ledger.instance("a")
    ledger.robust("r", sha, 1.0, bound=-0.5)
    ledger.found("r-2", sha, 2.0, attempt=2)  # refutes the first attempt
    row = runs_by_key(ledger)["r"]
    assert (row.run, row.fault, row.attempts) == ("r", "solver", 2)
    ledger.robust("r-3", sha, 1.0, bound=-0.25, attempt=3)
    ledger.run("r-4", sha, attempt=4)
    assert runs_by_key(ledger)["r"].run == "r-3"  # of the wrong ones the newest


def test_attempt_on_another_instance_is_none_at_this_run(ledger):
    ledger.robust("r", ledger.instance("a"), 1.0)
    ledger.run("r-2", ledger.instance("b"), attempt=2)
    assert {(row.run, row.attempts) for row in ledger.runs().itertuples()} == {("r", 1), ("r-2", 1)}


def test_witness_of_an_attempt_that_does_not_count_still_refutes(ledger):
    sha = ledger.instance("a")
    ledger.found("r", sha, 2.0)
    ledger.run("r-2", sha, attempt=2)
    ledger.robust("claim", sha, 1.0, solver="scip")
    assert ledger.one("claim")["fault_reason"] == "claim claims the bound -0.5, refuted by 0.5 from r"


@pytest.mark.parametrize(
    ("facts", "disturbed"),
    [
        ({}, None),
        ({"cores": "0", "foreign_seconds": 0.0, "swapped_bytes": 0}, 0),
        ({"cores": "0,1", "foreign_seconds": 1.09, "swapped_bytes": 0}, 0),  # 0.1 + 0.05 * 10 s * 2 threads = 1.1
        ({"cores": "0,1", "foreign_seconds": 1.11, "swapped_bytes": 0}, 1),
        ({"cores": "0", "foreign_seconds": 0.0, "swapped_bytes": 4096}, 1),
        ({"cores": "", "foreign_seconds": 0.0, "swapped_bytes": 0}, 1),
        ({"cores": "0", "foreign_seconds": 0.0, "swapped_bytes": 0, "stalled_seconds": 0.4}, 0),
        ({"cores": "0", "foreign_seconds": 0.0, "swapped_bytes": 0, "stalled_seconds": 0.6}, 1),
        ({"cores": "0", "foreign_seconds": None, "swapped_bytes": 0, "stalled_seconds": 0.0}, None),
    ],
)
def test_run_is_disturbed_by_load_swapping_or_shared_cores(ledger, facts, disturbed):
    ledger.run("r", ledger.instance("a"), wall_seconds=10.0, threads=2, **facts)
    assert ledger.one("r")["disturbed"] == disturbed


# -- what the final columns say --------------------------------------------------------------------------------------


def judged(ledger, claimed, **columns):
    ledger.run("r", ledger.instance("a"), termination="optimal", claimed_value=claimed)
    quiet = {"file_value": claimed, "replayed_value": claimed, "row_violation": 0.0}
    ledger.judge("r", **(quiet | columns))
    row = ledger.one("r")
    return row["fault"], row["fault_reason"]


def test_honest_final_columns_are_no_fault(ledger):
    assert judged(ledger, 1.0) == ("none", None)


def test_misreported_objective_is_a_solver_fault(ledger):
    fault, reason = judged(ledger, 1.0, file_value=0.9998)  # 2e-4 > 1e-4
    assert (fault, reason) == ("solver", "claims the value 1.0, its columns give 0.9998 in the file")


def test_violated_rows_are_a_solver_fault_even_if_the_replay_differs(ledger):
    assert judged(ledger, 1.0, row_violation=2e-5, replayed_value=0.0)[0] == "solver"


def test_file_satisfied_but_replay_differs_is_a_formulation_fault(ledger):
    fault, reason = judged(ledger, 1.0, replayed_value=0.5)
    assert (fault, reason) == ("formulation", "file satisfied with value 1.0, its network replays 0.5")


@pytest.mark.parametrize("family", ["verify", "maximize", "a family of its own"])
@pytest.mark.parametrize(("of_its_own", "fault_of_less"), [(1, "none"), (0, "formulation")])
def test_a_value_with_a_column_of_its_own_may_claim_less_than_its_input_reaches_but_not_more(
    ledger, family, of_its_own, fault_of_less
):
    sha = ledger.instance("a", family=family, value_is_column=of_its_own)
    for run, replayed in (("less", 1.5), ("more", 0.5)):
        ledger.run(run, sha, termination="time_limit", claimed_value=1.0)
        ledger.judge(run, file_value=1.0, replayed_value=replayed, row_violation=0.0)
    assert ledger.one("less")["fault"] == fault_of_less
    assert ledger.one("more")["fault_reason"] == "file satisfied with value 1.0, its network replays 0.5"


def test_formulation_is_not_blamed_when_its_file_was_not_checked(ledger):
    assert judged(ledger, 1.0, replayed_value=0.5, row_violation=None, file_value=None)[0] == "tolerance"


@pytest.mark.parametrize(
    "columns", [{"row_violation": 5e-6}, {"raw_violation": 5e-6}, {"replayed_value": 1.00005}, {"file_value": 1.00005}]
)
def test_small_deviations_are_tolerance(ledger, columns):
    assert judged(ledger, 1.0, **columns)[0] == "tolerance"


@pytest.mark.parametrize("columns", [{"row_violation": 9e-7}, {"raw_violation": 9e-7}, {"replayed_value": 1.0 + 9e-7}])
def test_deviations_within_feasibility_tolerance_are_nobodys_fault(ledger, columns):
    assert judged(ledger, 1.0, **columns)[0] == "none"


# -- judgements ------------------------------------------------------------------------------------------------------


def test_latest_judgement_wins_and_no_result_is_rewritten(ledger):
    sha = ledger.instance("a")
    ledger.robust("bound", sha, 1.0, bound=-0.5)
    ledger.found("w", sha, 2.0, value=0.25, solver="scip")
    before = ledger.connection.execute("SELECT * FROM results ORDER BY run").fetchall()
    assert ledger.one("bound")["fault"] == "solver"
    ledger.judge("w", confirmed=0, best_exact_value=-0.75)
    assert derived(ledger, "w") == ("unknown", "none", "none")
    assert derived(ledger, "bound") == ("robust", "claimed", "none")
    assert ledger.connection.execute("SELECT * FROM results ORDER BY run").fetchall() == before


def test_run_without_a_judgement_is_listed(ledger):
    ledger.run("r", ledger.instance("a"))
    assert derived(ledger, "r") == ("unknown", "none", "none")
    assert ledger.one("r")["best_exact_value"] is None


# -- how it is read ----------------------------------------------------------------------------------------------------


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
    """Steps of SQLite's machine for 2,000 runs, half of them with two attempts, and for twice as many."""
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


# -- instances whose numbers a solver's tolerances can move ----------------------------------------------------------


@pytest.mark.parametrize(("reach", "fault"), [(None, "formulation"), (0.1, "formulation"), (0.5, "tolerance")])
def test_a_replay_within_what_tolerances_can_move_is_tolerance(ledger, reach, fault):
    ledger.run("r", ledger.instance("a", tolerance_reach=reach), termination="optimal", claimed_value=1.0)
    ledger.judge("r", file_value=1.0, row_violation=0.0, replayed_value=0.7)
    assert ledger.one("r")["fault"] == fault


@pytest.mark.parametrize(("reach", "fault"), [(None, "solver"), (9e-4, "solver"), (0.1, "solver"), (0.5, "tolerance")])
def test_a_bound_is_allowed_what_tolerances_move_where_that_is_warned_of(ledger, reach, fault):
    gap = 3e-4 if reach == 9e-4 else 0.3  # up to 1e-3 there is no warning
    sha = ledger.instance("a", tolerance_reach=reach, centre_value=1.0)
    ledger.run("r", sha, termination="optimal", claimed_value=1.0 - gap, dual_bound=1.0 - gap)
    ledger.lift(sha, "the centre of the set", 1.0)
    assert ledger.one("r")["fault"] == fault


def test_infeasible_is_refuted_whatever_tolerances_move(ledger):
    sha = ledger.instance("a", tolerance_reach=0.5, centre_value=-1.0)
    ledger.run("r", sha, termination="infeasible")
    assert ledger.one("r")["fault"] == "solver"


@pytest.mark.parametrize(("big_m", "fault"), [(None, "solver"), (9.0, "solver"), (40.0, "solver"), (60.0, "tolerance")])
def test_a_row_may_be_off_by_what_a_binary_frees(ledger, big_m, fault):
    ledger.run("r", ledger.instance("a", big_m_max=big_m), termination="optimal", claimed_value=1.0)
    ledger.judge("r", file_value=1.0, row_violation=5e-5, replayed_value=1.0)
    assert ledger.one("r")["fault"] == fault


@pytest.mark.parametrize(("violation", "fault"), [(0.0, "formulation"), (2e-6, "formulation"), (8e-6, "tolerance")])
def test_a_replay_may_be_off_as_many_times_as_rows_are(ledger, violation, fault):
    ledger.run("r", ledger.instance("a", tolerance_reach=1e-4), termination="optimal", claimed_value=1.0)
    ledger.judge("r", file_value=1.0, row_violation=violation, replayed_value=1.0 - 6e-4)
    assert ledger.one("r")["fault"] == fault
