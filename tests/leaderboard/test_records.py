"""The view `runs`: verdict, evidence and fault of each run, from stored facts alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from leaderboard import records


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


@pytest.mark.parametrize("facts", [{"target": None}, {"family": "closest"}])
def test_a_value_with_a_column_of_its_own_may_claim_less_than_its_input_reaches_but_not_more(ledger, facts):
    sha = ledger.instance("a", **facts)
    for run, replayed in (("less", 1.5), ("more", 0.5)):
        ledger.run(run, sha, termination="time_limit", claimed_value=1.0)
        ledger.judge(run, file_value=1.0, replayed_value=replayed, row_violation=0.0)
    assert ledger.one("less")["fault"] == "none"
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


# -- reading ---------------------------------------------------------------------------------------------------------


def test_runs_carry_the_catalogue_and_keep_both_seeds(ledger):
    ledger.run("r", ledger.instance("a", seed=7, depth=4), seed=2)
    row = ledger.runs().iloc[0]
    assert (row["seed"], row["network_seed"], row["depth"], row["dataset"]) == (2, 7, 4, "digits")


def test_empty_ledger_reads_as_no_runs(ledger):
    assert len(ledger.runs()) == 0


def test_missing_ledger_is_named(tmp_path):
    with pytest.raises(records.LedgerError, match=r"ledger\.sqlite: no ledger here"):
        records.read_runs(tmp_path / "ledger.sqlite")


def test_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(records.LedgerError, match="not a readable ledger"):
        records.read_runs(path)


def test_truncated_ledger_is_refused(ledger, tmp_path):
    ledger.run("r", ledger.instance("a"))
    path = tmp_path / "cut.sqlite"
    path.write_bytes(ledger.path.read_bytes()[:6000])
    with pytest.raises(records.LedgerError, match="not a readable ledger"):
        records.read_runs(path)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("CREATE TABLE other (x)", "not a ledger of vnnbench"),
        ("CREATE TABLE other (x); PRAGMA user_version = 4", "not a readable ledger"),
        ("PRAGMA user_version = 99", "ledger schema 99; this version reads schema 4"),
    ],
)
def test_foreign_database_or_other_schema_is_refused(tmp_path: Path, script, message):
    path = tmp_path / "odd #1?.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    with pytest.raises(records.LedgerError, match=message):
        records.read_runs(path)


def test_resting_ledger_in_a_read_only_folder_is_read(ledger, monkeypatch):
    ledger.connection.execute("PRAGMA journal_mode = WAL")
    ledger.run("r", ledger.instance("a"))
    ledger.connection.close()
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    before = {path.name for path in ledger.path.parent.iterdir()}
    assert len(ledger.runs()) == 1
    assert {path.name for path in ledger.path.parent.iterdir()} == before == {"ledger.sqlite"}


def test_ledger_is_read_while_it_is_written(ledger):
    ledger.connection.execute("PRAGMA journal_mode = WAL")
    ledger.run("r", ledger.instance("a"))
    assert len(ledger.runs()) == 1


def test_reading_never_writes(ledger):
    connection = records.open_ledger_for_reading(ledger.path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM results")
    connection.close()


def test_view_looks_judgements_up_by_index_instead_of_walking_them_per_run(ledger):
    # A plan with a list of all newest judgements per run takes 6 s for 5,000 runs; this guards against its return.
    plan = " ".join(row[3] for row in ledger.connection.execute("EXPLAIN QUERY PLAN SELECT * FROM runs"))
    assert "LIST SUBQUERY" not in plan
    assert "SCAN newest" not in plan
