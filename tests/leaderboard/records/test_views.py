"""The view `runs`: verdict, evidence and fault of each run, from stored facts alone."""

from __future__ import annotations

import pytest

# -- verdicts --------------------------------------------------------------------------------------------------------


def test_confirmed_candidate_is_adversarial(ledger):
    ledger.found("r", ledger.instance("a"), 3.0)
    assert ledger.derived("r") == ("adversarial", "exact", "none")
    assert ledger.one("r")["first_success_seconds"] == 3.0


def test_repaired_candidate_is_adversarial_without_success(ledger):
    ledger.run("r", ledger.instance("a"))
    ledger.judge("r", confirmed=1, evidence="repaired", best_exact_value=0.1, raw_violation=1e-3)
    assert ledger.derived("r") == ("adversarial", "repaired", "tolerance")
    assert ledger.one("r")["first_success_seconds"] is None


def test_dual_bound_below_threshold_on_the_dense_network_is_a_robust_claim(ledger):
    ledger.robust("r", ledger.instance("a"), 1.0, bound=-0.5)
    assert ledger.derived("r") == ("robust", "claimed", "none")


def test_dual_bound_within_constant_rounding_of_the_threshold_proves_nothing(ledger):
    ledger.robust("r", ledger.instance("a", constant_rounding=1e-6), 1.0, bound=-1e-7)
    assert ledger.derived("r") == ("unknown", "none", "none")


@pytest.mark.parametrize(("strict", "verdict"), [(1, "robust"), (0, "unknown")])
def test_bound_at_the_threshold_rules_out_only_strict_properties(ledger, strict, verdict):
    ledger.robust("r", ledger.instance("a", strict=strict), 1.0, bound=0.0)
    assert ledger.one("r")["verdict"] == verdict


def test_surrogate_is_never_robust(ledger):
    ledger.robust("r", ledger.instance("a", network="net-mag-u90"), 1.0, bound=-5.0)
    assert ledger.derived("r") == ("unknown", "none", "none")


def test_without_a_threshold_the_verdict_is_value(ledger):
    sha = ledger.instance("a", family="maximize", threshold=None)
    ledger.run("r", sha, goal="optimize", termination="optimal", claimed_value=2.0, dual_bound=2.0)
    ledger.judge("r", confirmed=1, evidence="exact", best_exact_value=2.0, own_value=2.0)
    assert ledger.derived("r") == ("value", "exact", "none")


def test_no_threshold_is_never_robust(ledger):
    ledger.robust("r", ledger.instance("a", family="maximize", threshold=None), 1.0)
    assert ledger.derived("r") == ("unknown", "none", "none")


def test_infeasible_or_unbounded_proves_nothing(ledger):
    ledger.run("r", ledger.instance("a", centre_value=-1.0), termination="infeasible_or_unbounded")
    assert ledger.derived("r") == ("unknown", "none", "none")


def test_licence_limit_is_unknown_and_not_a_fault(ledger):
    ledger.run("r", ledger.instance("a", centre_value=-1.0), termination="license_limit", wall_seconds=0.1)
    assert ledger.derived("r") == ("unknown", "none", "none")


def test_crash_says_nothing_and_stays_null(ledger):
    ledger.run("r", ledger.instance("a"), termination=None, ended_by="crash")
    assert ledger.derived("r") == ("unknown", "none", "none")
    row = ledger.runs().iloc[0]
    assert row["termination"] is None or row["termination"] != row["termination"]


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
    assert runs_by_key(ledger)["r"].run == "r-3"  # the newest of the wrong ones


def test_attempt_on_another_instance_is_not_an_attempt_at_this_run(ledger):
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


@pytest.mark.parametrize(
    ("wall", "first", "stalled", "impossible"),
    [
        (-0.1, None, None, 1),
        (float("inf"), None, 0.0, 1),
        (161.9, None, 1.0, 0),  # the limit is 100 s: 100 + 60 + 2 * 1 = 162
        (162.1, None, 1.0, 1),
        (1e6, None, None, 0),  # an older version did not record for how long it was stalled
        (5.0, 5.0, 0.0, 0),
        (5.0, 5.1, 0.0, 1),
        (5.0, -1.0, 0.0, 1),
    ],
)
def test_times_that_no_run_can_have(ledger, wall, first, stalled, impossible):
    ledger.run("r", ledger.instance("a"), wall_seconds=wall, stalled_seconds=stalled)
    ledger.judge("r", first_success_seconds=first)
    assert ledger.one("r")["impossible_times"] == impossible


def test_run_that_is_judged_again_may_have_a_later_answer(ledger):
    ledger.found("r", ledger.instance("a"), 5.0)
    ledger.judge("r", confirmed=1, evidence="exact", best_exact_value=0.5, first_success_seconds=6.0)
    assert ledger.one("r")["impossible_times"] == 0


def test_merged_run_that_was_judged_again_may_have_a_later_answer(ledger):
    ledger.machine("submitted-m2")
    ledger.run("r", ledger.instance("a"), wall_seconds=5.0, machine="submitted-m2")
    ledger.judge("r", confirmed=1, evidence="exact", best_exact_value=0.5, first_success_seconds=6.0)
    assert ledger.one("r")["impossible_times"] == 0


def test_limit_that_is_not_positive_is_impossible(ledger):
    ledger.run("r", ledger.instance("a"), time_limit_seconds=0.0, wall_seconds=0.0)
    assert ledger.one("r")["impossible_times"] == 1


# -- what the final columns say --------------------------------------------------------------------------------------


def judged(ledger, claimed, **columns):
    ledger.run("r", ledger.instance("a"), termination="optimal", claimed_value=claimed)
    quiet = {"file_value": claimed, "replayed_value": claimed, "row_violation": 0.0}
    ledger.judge("r", **(quiet | columns))
    row = ledger.one("r")
    return row["fault"], row["fault_reason"]


def test_honest_final_columns_are_not_a_fault(ledger):
    assert judged(ledger, 1.0) == ("none", None)


def test_misreported_objective_is_a_solver_fault(ledger):
    fault, reason = judged(ledger, 1.0, file_value=0.9998)  # 2e-4 > 1e-4
    assert (fault, reason) == ("solver", "claims the value 1.0, but its columns give 0.9998 in the file")


def test_violated_rows_are_a_solver_fault_even_if_the_replay_differs(ledger):
    assert judged(ledger, 1.0, row_violation=2e-5, replayed_value=0.0)[0] == "solver"


def test_file_satisfied_but_replay_differs_is_a_formulation_fault(ledger):
    fault, reason = judged(ledger, 1.0, replayed_value=0.5)
    assert (fault, reason) == ("formulation", "the file is satisfied with the value 1.0, but the network gives 0.5")


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
    assert ledger.one("more")["fault_reason"] == "the file is satisfied with the value 1.0, but the network gives 0.5"


def test_formulation_is_not_blamed_when_its_file_was_not_checked(ledger):
    assert judged(ledger, 1.0, replayed_value=0.5, row_violation=None, file_value=None)[0] == "tolerance"


@pytest.mark.parametrize(
    "columns", [{"row_violation": 5e-6}, {"raw_violation": 5e-6}, {"replayed_value": 1.00005}, {"file_value": 1.00005}]
)
def test_small_deviations_are_tolerance(ledger, columns):
    assert judged(ledger, 1.0, **columns)[0] == "tolerance"


@pytest.mark.parametrize("columns", [{"row_violation": 9e-7}, {"raw_violation": 9e-7}, {"replayed_value": 1.0 + 9e-7}])
def test_deviations_within_feasibility_tolerance_are_not_a_fault(ledger, columns):
    assert judged(ledger, 1.0, **columns)[0] == "none"


# -- judgements ------------------------------------------------------------------------------------------------------


def test_latest_judgement_wins_and_no_result_is_rewritten(ledger):
    sha = ledger.instance("a")
    ledger.robust("bound", sha, 1.0, bound=-0.5)
    ledger.found("w", sha, 2.0, value=0.25, solver="scip")
    before = ledger.connection.execute("SELECT * FROM results ORDER BY run").fetchall()
    assert ledger.one("bound")["fault"] == "solver"
    ledger.judge("w", confirmed=0, best_exact_value=-0.75)
    assert ledger.derived("w") == ("unknown", "none", "none")
    assert ledger.derived("bound") == ("robust", "claimed", "none")
    assert ledger.connection.execute("SELECT * FROM results ORDER BY run").fetchall() == before


def test_run_without_a_judgement_is_listed(ledger):
    ledger.run("r", ledger.instance("a"))
    assert ledger.derived("r") == ("unknown", "none", "none")
    assert ledger.one("r")["best_exact_value"] is None


# -- instances whose numbers a solver's tolerances can move ----------------------------------------------------------


@pytest.mark.parametrize(("reach", "fault"), [(None, "formulation"), (0.1, "formulation"), (0.5, "tolerance")])
def test_a_replay_within_what_tolerances_can_move_is_tolerance(ledger, reach, fault):
    ledger.run("r", ledger.instance("a", tolerance_reach=reach), termination="optimal", claimed_value=1.0)
    ledger.judge("r", file_value=1.0, row_violation=0.0, replayed_value=0.7)
    assert ledger.one("r")["fault"] == fault


@pytest.mark.parametrize(("big_m", "fault"), [(None, "solver"), (9.0, "solver"), (40.0, "solver"), (60.0, "tolerance")])
def test_a_row_may_be_off_by_what_a_binary_frees(ledger, big_m, fault):
    ledger.run("r", ledger.instance("a", big_m_max=big_m), termination="optimal", claimed_value=1.0)
    ledger.judge("r", file_value=1.0, row_violation=5e-5, replayed_value=1.0)
    assert ledger.one("r")["fault"] == fault


def test_a_replay_that_is_off_where_rows_are_not_satisfied_is_the_fault_of_the_solver(ledger):
    ledger.run(
        "r", ledger.instance("a", tolerance_reach=1e-6, big_m_max=60.0), termination="optimal", claimed_value=1.0
    )
    ledger.judge("r", file_value=1.0, row_violation=5e-5, replayed_value=0.5)
    assert ledger.one("r")["fault_reason"] == (
        "final columns violate the file by 5.0e-05 and claim the value 1.0, but the network gives 0.5"
    )
    assert ledger.one("r")["fault"] == "solver"


@pytest.mark.parametrize(("violation", "fault"), [(0.0, "formulation"), (2e-6, "formulation"), (8e-6, "tolerance")])
def test_a_replay_may_be_off_as_many_times_as_rows_are(ledger, violation, fault):
    ledger.run("r", ledger.instance("a", tolerance_reach=1e-4), termination="optimal", claimed_value=1.0)
    ledger.judge("r", file_value=1.0, row_violation=violation, replayed_value=1.0 - 6e-4)
    assert ledger.one("r")["fault"] == fault
