"""Difficulties of instances, from ledgers made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from vnnbench.leaderboard.benchmark_sets.difficulty import BANDS, EASY_SECONDS, measure_difficulty

LIMIT = 100.0


def difficulty_of(ledger: Any, instance: str) -> tuple[str, float, str]:
    row = measure_difficulty(ledger.runs()).loc[instance]
    return row["difficulty"], row["seconds"], row["band"]


def test_easy_is_what_every_run_solved_soon(ledger: Any) -> None:
    sha = ledger.instance("i")
    ledger.found("r1", sha, 2.0)
    ledger.found("r2", sha, 8.0, solver="scip")
    assert difficulty_of(ledger, sha) == ("easy", pytest.approx(4.0, rel=1e-12), "3 to 10 s")


@pytest.mark.parametrize("other", [None, EASY_SECONDS + 1])
def test_hard_is_what_one_run_did_not_solve_or_not_soon(ledger: Any, other: float | None) -> None:
    sha = ledger.instance("i")
    ledger.found("r1", sha, 1.0)
    if other is None:
        ledger.run("r2", sha, solver="scip")
    else:
        ledger.found("r2", sha, other, solver="scip")
    assert difficulty_of(ledger, sha)[:2] == ("hard", pytest.approx((other or LIMIT) ** 0.5, rel=1e-12))


def test_a_solver_that_gives_up_early_makes_no_instance_easier(ledger: Any) -> None:
    sha = ledger.instance("i")
    ledger.found("r1", sha, 250.0, time_limit_seconds=300.0)
    ledger.run("r2", sha, time_limit_seconds=1.0, wall_seconds=1.0)
    assert difficulty_of(ledger, sha) == ("hard", pytest.approx((250.0 * 300.0) ** 0.5, rel=1e-12), "100 to 300 s")


def test_open_is_what_no_run_solved(ledger: Any) -> None:
    sha = ledger.instance("i")
    ledger.run("r1", sha)
    ledger.run("r2", sha, solver="scip", termination="memory_limit", wall_seconds=1.0)
    assert difficulty_of(ledger, sha) == ("open", pytest.approx(LIMIT), "open")


def test_surrogate_solved_to_its_end_without_an_answer_is_spent_and_not_open(ledger: Any) -> None:
    sha = ledger.instance("i", network="pruned")
    ledger.run("r1", sha, termination="optimal", wall_seconds=3.0, dual_bound=0.5, claimed_value=0.5)
    ledger.run("r2", sha, solver="scip")
    assert difficulty_of(ledger, sha)[0] == "spent"


def test_counterexample_from_elsewhere_makes_a_surrogate_hard_and_not_spent(ledger: Any) -> None:
    sha = ledger.instance("i", network="pruned")
    ledger.run("r1", sha, termination="optimal", wall_seconds=3.0, dual_bound=0.5, claimed_value=0.5)
    ledger.found("r2", sha, 5.0, value=0.25, solver="scip")
    assert difficulty_of(ledger, sha)[0] == "hard"


def test_wrong_runs_solve_nothing_and_end_nothing(ledger: Any) -> None:
    sha = ledger.instance("i")
    ledger.robust("liar", sha, 1.0, bound=-0.5, termination="optimal")
    ledger.found("r2", sha, 7.0, solver="scip")
    ledger.run("r3", sha, solver="gurobi")
    assert difficulty_of(ledger, sha)[:2] == ("hard", pytest.approx((LIMIT * 7.0 * LIMIT) ** (1 / 3), rel=1e-12))


def test_refused_runs_say_nothing(ledger: Any) -> None:
    sha, refused = ledger.instance("i"), ledger.instance("refused")
    ledger.found("r1", sha, 2.0)
    for run, instance in (("r2", sha), ("r3", refused)):
        ledger.run(run, instance, solver="gurobi", termination="license_limit", wall_seconds=0.1)
    assert list(measure_difficulty(ledger.runs()).index) == [sha]
    assert difficulty_of(ledger, sha)[:2] == ("easy", pytest.approx(2.0, rel=1e-12))


def test_difficulty_comes_from_the_type_of_cpu_with_the_most_runs(ledger: Any) -> None:
    ledger.machine("m0")
    sha, elsewhere = ledger.instance("i"), ledger.instance("elsewhere")
    ledger.found("r1", sha, 2.0)
    ledger.found("r2", sha, 50.0, machine="m0")
    assert difficulty_of(ledger, sha)[1] == pytest.approx(50.0, rel=1e-12)  # equal counts: the first name
    ledger.found("r3", sha, 8.0, solver="scip")
    assert difficulty_of(ledger, sha) == ("easy", pytest.approx(4.0, rel=1e-12), "3 to 10 s")
    ledger.found("r4", sha, 4.0, solver="cbc")
    ledger.run("r5", elsewhere, machine="m0")
    assert list(measure_difficulty(ledger.runs()).index) == [sha]


def test_instances_that_another_type_of_cpu_solved_or_spent_are_not_open(ledger: Any) -> None:
    ledger.machine("m2")
    solved, ended = ledger.instance("solved"), ledger.instance("ended", network="pruned")
    for run, sha in (("r1", solved), ("r2", ended), ("r3", ledger.instance("open", problem="q"))):
        ledger.run(run, sha)
    ledger.found("other", solved, 1.0, machine="m2")
    ledger.run("end", ended, machine="m2", termination="optimal", claimed_value=0.5, dual_bound=0.5)
    assert difficulty_of(ledger, solved) == ("hard", pytest.approx(LIMIT), "100 to 300 s")
    assert difficulty_of(ledger, ended)[0] == "spent"
    assert difficulty_of(ledger, "sha-open")[0] == "open"


def test_setting_with_more_seeds_counts_as_one(ledger: Any) -> None:
    sha = ledger.instance("i")
    for seed in range(3):
        ledger.found(f"r{seed}", sha, 1.0, seed=seed)
    ledger.found("other", sha, 16.0, solver="scip")
    assert difficulty_of(ledger, sha)[1] == pytest.approx(4.0, rel=1e-12)


@pytest.mark.parametrize(
    ("seconds", "band"),
    [(0.0, "< 1 s"), (0.999, "< 1 s"), (1.0, "1 to 3 s"), (30.0, "30 to 100 s"), (5000.0, ">= 1000 s")],
)
def test_bands_are_halves_of_decades(ledger: Any, seconds: float, band: str) -> None:
    sha = ledger.instance("i")
    ledger.found("r1", sha, seconds, time_limit_seconds=1e4)
    assert difficulty_of(ledger, sha)[2] == band
    assert band in BANDS


def test_endless_times_are_very_long_ones(ledger: Any) -> None:
    sha = ledger.instance("i")
    ledger.run("r1", sha, time_limit_seconds=float("inf"), wall_seconds=float("inf"))
    assert difficulty_of(ledger, sha) == ("open", pytest.approx(1e9), "open")
