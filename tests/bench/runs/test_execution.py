"""The row of a run: goals and when they end it, lying candidates, claims that the judge refutes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from support.silent import Silent
from support.tiny_libraries import BEST, CENTRE, EVEN, GOOD
from vnnbench.harness import run_plan
from vnnbench.instances.files import sha256
from vnnbench.judging.candidates import read_candidates

# -- goals -------------------------------------------------------------------------------------------------------


def test_find_stops_at_the_first_confirmed_counterexample(play, steps):
    s = steps("adv--tight")
    script = [s.incumbent(CENTRE), ["sleep", 0.2], s.incumbent(GOOD), ["wait_stop", 30]]
    row = play("adv--tight", script, "find")
    assert (row["ended_by"], row["termination"], row["verdict"]) == ("judge", "unresolved", "adversarial")
    assert (row["evidence"], row["fault"], row["incumbents"]) == ("exact", "none", 2)
    assert (row["best_exact_value"], row["claimed_value"], row["raw_violation"]) == (0.125, 0.125, 0)


def test_find_on_a_surrogate_stops_at_what_the_dense_network_confirms(play, steps):
    """`even` has value 0 on the dense network and 0.5 on the surrogate: no counterexample; `good` is one."""
    s = steps("adv-mag-u10--tight")
    script = [s.incumbent(EVEN), ["sleep", 0.2], s.incumbent(GOOD), ["wait_stop", 30]]
    row = play("adv-mag-u10--tight", script, "find")
    assert (row["ended_by"], row["verdict"], row["incumbents"]) == ("judge", "adversarial", 2)
    assert (row["best_exact_value"], row["replayed_value"], row["claimed_value"]) == (0.125, 0.625, 0.625)
    assert row["fault"] == "none"


def test_wall_clock_of_a_run_ended_by_the_judge_is_the_arrival_of_the_answer(play, steps, patient):
    s = steps("adv--tight")
    script = [["sleep", 0.3], s.incumbent(GOOD), ["sleep", 4.0], ["wait_stop", 30]]
    row = play("adv--tight", script, "find")
    assert row["ended_by"] == "judge"
    assert row["wall_seconds"] == row["first_success_seconds"]
    assert 0.3 <= row["wall_seconds"] < 4.0


def test_answers_that_arrive_together_count_from_the_first(play, steps, monkeypatch):
    """The newest answer is judged first; the older one, judged after the stop, was the first answer."""
    s = steps("adv--tight")
    script = [s.incumbent(GOOD), s.incumbent(BEST), ["wait_stop", 30]]
    row = play("adv--tight", script, "find")
    trajectory, _, _ = read_candidates(play.results / "candidates" / f"{row['run']}.npz")
    assert row["first_success_seconds"] == trajectory.candidates[0].seconds == row["wall_seconds"]
    assert row["best_exact_value"] == 0.25


def test_decide_stops_on_the_bound_of_a_dense_instance(play, steps, patient):
    script = [["bound", 0.1], ["sleep", 4.0], ["bound", 0.2], ["wait_stop", 30]]
    row = play("rob--tight", script, "decide")
    assert (row["ended_by"], row["verdict"], row["evidence"]) == ("judge", "robust", "claimed")
    assert row["dual_bound"] == -0.2
    assert row["wall_seconds"] < 4.0


def test_decide_needs_a_bound_that_leaves_no_room(play):
    """value <= 0 leaves none for a strict property; value <= 1e-300 does."""
    row = play("rob--tight", [["bound", -1e-300], ["wait_stop", 0.5]], "decide")
    assert (row["ended_by"], row["verdict"]) == ("solver", "unknown")
    row = play("rob--tight", [["bound", 0.0], ["wait_stop", 30]], "decide")
    assert (row["ended_by"], row["verdict"]) == ("judge", "robust")


@pytest.mark.parametrize(
    ("instance", "goal"),
    [
        ("rob-mag-u10--tight", "decide"),
        ("rob-mag-u10--tight", "find"),
        ("rob--tight", "find"),
        ("rob--tight", "optimize"),
    ],
)
def test_the_bound_ends_nothing_else(play, steps, instance, goal):
    s = steps(instance)
    row = play(instance, [["bound", 0.1], ["wait_stop", 0.4], s.result("optimal", BEST, -0.1)], goal)
    assert (row["ended_by"], row["termination"]) == ("solver", "optimal")
    assert row["verdict"] == ("unknown" if "mag" in instance else "robust")


def test_optimize_runs_to_the_end(play, steps):
    s = steps("adv--tight")
    script = [s.incumbent(GOOD), ["wait_stop", 3.0], s.result("optimal", BEST, 0.25)]
    row = play("adv--tight", script, "optimize")
    assert (row["ended_by"], row["termination"], row["verdict"]) == ("solver", "optimal", "adversarial")
    assert row["wall_seconds"] >= 3.0 > 2.5 > row["first_success_seconds"]


def test_solution_that_was_not_streamed_is_judged_and_arrives_with_the_result(play, steps):
    row = play("adv--tight", [["sleep", 0.2], steps("adv--tight").result("optimal", BEST, 0.25)])
    assert (row["ended_by"], row["incumbents"], row["verdict"]) == ("solver", 0, "adversarial")
    assert row["first_success_seconds"] == row["wall_seconds"]


def test_streamed_solution_is_not_stored_twice(play, steps):
    s = steps("adv--tight")
    row = play("adv--tight", [s.incumbent(BEST), s.result("optimal", BEST, 0.25)], "optimize")
    trajectory, columns, names = read_candidates(play.results / "candidates" / f"{row['run']}.npz")
    assert len(trajectory.candidates) == 1
    assert columns.tolist() == s.columns(BEST)
    assert names == list(s.judge.model.column_names)


# -- what is on record -------------------------------------------------------------------------------------------


def test_steps_are_improvements_on_the_harness_clock(play, steps):
    s = steps("adv--tight")
    script = [
        ["bound", -1.0], s.incumbent(CENTRE), ["bound", 0.5], ["bound", -1.5], ["sleep", 3.0],
        s.incumbent(BEST), s.incumbent(GOOD), ["bound", -0.5], s.result("optimal", bound=0.25),
    ]  # fmt: skip
    row = play("adv--tight", script, "optimize")
    dual, primal = json.loads(row["dual_steps"]), json.loads(row["primal_steps"])
    assert [value for _, value in dual] == [1.0, -0.5]
    assert [value for _, value in primal] == [-0.75, 0.25]
    assert 0 <= primal[0][0] < 3.0 <= primal[1][0] <= row["wall_seconds"]
    assert row["dual_bound"] == 0.25


def test_final_bound_is_a_step_where_it_is_better(play):
    row = play("adv--tight", [["bound", -1.0], ["sleep", 0.1], ["result", "time_limit", None, None, -0.5]], "optimize")
    assert [value for _, value in json.loads(row["dual_steps"])] == [1.0, 0.5]
    assert json.loads(row["dual_steps"])[1][0] == row["wall_seconds"] >= 0.1


def test_primal_steps_of_a_surrogate_are_values_of_the_dense_network(play, steps):
    s = steps("adv-mag-u10--tight")
    row = play("adv-mag-u10--tight", [s.incumbent(EVEN), s.incumbent(GOOD)], "optimize")
    assert [value for _, value in json.loads(row["primal_steps"])] == [0.0, 0.125]


def test_a_run_without_reports_has_no_step(play):
    row = play("adv--tight", [])
    assert (row["dual_steps"], row["primal_steps"]) == ("[]", "[]")
    assert (row["as_given_violation"], row["repaired_violation"]) == (None, None)


def test_row_holds_the_hash_of_its_candidates_file(play, steps):
    play("adv--tight", [steps("adv--tight").incumbent(GOOD)])
    (done,) = play.finished
    path = play.results / "candidates" / f"{done.result.run}.npz"
    assert done.result.candidates_sha256 == sha256(path.read_bytes())


def test_later_attempt_has_a_row_and_files_of_its_own(plan_of, library, tmp_path):
    (planned,) = plan_of("rob--tight", [["bound", 0.1]])
    for attempt in (1, 2):
        again = replace(planned, attempt=attempt)
        (done,) = run_plan([again], library, tmp_path / str(attempt), 1, Silent())
        assert (done.result.run, done.result.attempt, done.result.permutation) == (again.name, attempt, 0)
        assert (tmp_path / str(attempt) / "candidates" / f"{again.name}.npz").is_file()
        assert done.result.foreign_seconds >= 0 and done.result.swapped_bytes >= 0


# -- how much is tolerance ---------------------------------------------------------------------------------------


def violations(play, steps, *candidates):
    s = steps("adv--tight")
    row = play("adv--tight", [s.incumbent(x) for x in candidates], "optimize")
    return row["as_given_violation"], row["repaired_violation"]


def test_point_of_the_set_needs_no_tolerance(play, steps):
    assert violations(play, steps, CENTRE, shifted(1e-3), GOOD) == (0, 0)


def test_least_violation_that_confirms_is_recorded_as_given_and_after_repair(play, steps):
    found = violations(play, steps, CENTRE, shifted(2.0**-10), shifted(2.0**-20))
    assert found == (2.0**-20, 2.0**-20)


def test_point_that_only_its_violation_makes_a_counterexample_confirms_nothing_repaired(play, steps):
    """The point has x_0 = 5/4, outside by 1/4, and h_0 = 5/4 > b; clipped to 1, the value is 0."""
    assert violations(play, steps, [1.25, 0.5, 0.5, 0.5]) == (0.25, None)


# -- candidates that lie -----------------------------------------------------------------------------------------


def shifted(by: float) -> list[float]:
    """Return the best point, with x_0 beyond its upper bound by so much."""
    return [BEST[0] + by, *BEST[1:]]


def test_candidate_outside_by_1e9th_is_repaired_and_a_success(play, steps):
    s = steps("adv--tight")
    row = play("adv--tight", [s.incumbent(shifted(1e-9)), ["wait_stop", 30]], "find")
    assert (row["ended_by"], row["verdict"], row["evidence"]) == ("judge", "adversarial", "repaired")
    assert row["raw_violation"] == pytest.approx(1e-9, rel=1e-6)
    assert row["first_success_seconds"] is not None
    assert row["fault"] == "none"


def test_candidate_outside_by_1e4th_confirms_the_problem_but_is_not_a_success(play, steps):
    s = steps("adv--tight")
    row = play("adv--tight", [s.incumbent(shifted(1e-4)), ["wait_stop", 0.4]], "find")
    assert (row["ended_by"], row["verdict"], row["evidence"]) == ("solver", "adversarial", "repaired")
    assert row["first_success_seconds"] is None
    assert row["fault"] == "solver" and "violate the file" in row["fault_reason"]


@pytest.mark.parametrize("absurd", [math.nan, math.inf, -1e308, 1.7e308])
@pytest.mark.parametrize("place", ["one", "all"])
def test_absurd_columns_do_no_harm(play, steps, absurd, place):
    s = steps("adv--tight")
    columns = s.columns(BEST)
    columns = [absurd] * len(columns) if place == "all" else [*columns[:-5], absurd, *columns[-4:]]
    p = [name.startswith("p_") for name in s.judge.model.column_names]
    ball = [absurd if is_p else 0.0 for is_p in p]
    script = [["incumbent", -0.25, columns], ["incumbent", absurd, ball], ["incumbent", -0.25, columns]]
    row = play("adv--tight", [*script, s.incumbent(GOOD, -0.5)], "optimize")
    assert (row["ended_by"], row["termination"], row["incumbents"]) == ("solver", "unresolved", 4)
    assert (row["verdict"], row["first_success_seconds"] is not None) == ("adversarial", True)
    assert row["best_exact_value"] >= 0.125
    row = play("adv--tight", [["incumbent", -0.25, columns]], "optimize")
    assert row["ended_by"] == "solver"
    assert row["replayed_value"] is None or np.isfinite(row["replayed_value"])


def test_nan_candidate_is_rejected(play, steps):
    s = steps("adv--tight")
    row = play("adv--tight", [["incumbent", -0.25, [math.nan] * s.judge.model.n_columns], ["wait_stop", 0.3]], "find")
    assert (row["ended_by"], row["verdict"], row["evidence"]) == ("solver", "unknown", "none")
    assert (row["best_exact_value"], row["raw_violation"], row["replayed_value"]) == (None, None, None)


@pytest.mark.parametrize("absurd", [math.nan, math.inf, -math.inf])
def test_bounds_and_objectives_that_are_not_numbers_are_null_and_do_no_harm(play, steps, absurd):
    s = steps("adv--tight")
    final = ["result", "optimal", absurd, s.columns(GOOD), absurd]
    row = play("adv--tight", [["bound", absurd], s.incumbent(GOOD), ["bound", absurd], final], "optimize")
    assert (row["ended_by"], row["termination"], row["verdict"]) == ("solver", "optimal", "adversarial")
    assert (row["dual_bound"], row["dual_steps"], row["claimed_value"]) == (None, "[]", 0.125)
    assert row["fault"] == "none"
    row = play("rob--tight", [["bound", absurd], ["result", "optimal", absurd, None, absurd]], "decide")
    assert (row["verdict"], row["fault"], row["claimed_value"]) == ("unknown", "none", None)


def test_bounds_that_cross_are_a_fault_of_the_solver(play, steps):
    s = steps("adv--tight")
    row = play("adv--tight", [["incumbent", -0.125, s.columns(CENTRE)], ["bound", 0.1]], "optimize")
    assert row["fault_reason"] == "claims the value 0.125, above its own bound -0.1"


def test_false_optimum_is_refuted_even_without_a_dual_bound(play, steps):
    s = steps("adv--tight")
    row = play("adv--tight", [s.incumbent(BEST), s.result("optimal", GOOD)], "optimize")
    assert row["fault_reason"] == f"{row['run']} claims the optimum 0.125, refuted by 0.25 from {row['run']}"


def test_objective_that_the_columns_do_not_give_is_a_fault_of_the_solver(play, steps):
    s = steps("adv--tight")
    row = play("adv--tight", [s.incumbent(GOOD, -0.2)], "optimize")
    assert (row["fault"], row["verdict"]) == ("solver", "adversarial")
    assert "claims the value 0.2" in row["fault_reason"]


def test_columns_off_the_rows_are_a_fault_of_the_solver(play, steps):
    """h_1_0 is one too large: the file's objective agrees, a row does not."""
    s = steps("adv--tight")
    columns = s.columns(CENTRE)
    columns[s.judge.model.column_names.index("h_1_0")] += 1.0
    row = play("adv--tight", [["incumbent", -0.25, columns]], "optimize")
    assert (row["fault"], row["verdict"], row["claimed_value"]) == ("solver", "unknown", 0.25)
    assert "violate the file" in row["fault_reason"]


# -- claims that are refuted -------------------------------------------------------------------------------------


def test_infeasible_is_refuted_by_the_clean_input(play):
    row = play("rob--tight", [["result", "infeasible"]])
    assert (row["termination"], row["verdict"], row["fault"]) == ("infeasible", "unknown", "solver")
    assert "the centre of the set" in row["fault_reason"]


def test_bound_below_the_clean_inputs_value_is_a_fault_and_proves_nothing(play, steps):
    """The value at the centre is -1.75."""
    row = play("rob--tight", [["bound", 1.8], ["wait_stop", 5]])
    assert (row["ended_by"], row["fault"], row["verdict"]) == ("judge", "solver", "unknown")


def test_robust_claim_is_withdrawn_when_another_run_finds_a_counterexample(play, steps):
    s = steps("adv--tight")
    claim = play("adv--tight", [["bound", 0.1], ["wait_stop", 5]])
    assert (claim["verdict"], claim["fault"]) == ("robust", "none")
    play("adv--tight", [s.incumbent(GOOD), ["wait_stop", 5]])
    claim = play.row(claim["run"])
    assert (claim["verdict"], claim["fault"]) == ("unknown", "solver")


def test_early_bad_claim_does_not_end_an_honest_run_wrongly(play, steps, patient):
    """An excluded bound ends a decide run, even when a counterexample arrives while the solver is stopping."""
    s = steps("adv--tight")
    row = play("adv--tight", [["bound", 0.1], ["sleep", 0.2], s.incumbent(GOOD), ["wait_stop", 30]])
    assert (row["ended_by"], row["verdict"], row["fault"]) == ("judge", "adversarial", "solver")


def test_announcing_other_columns_forgets_the_old_solution(play, steps):
    s = steps("adv--tight")
    names = list(reversed(s.judge.model.column_names))
    script = [
        s.incumbent(GOOD),
        ["frame", {"kind": "columns"}, [], "\n".join(names)],
        ["incumbent", s.objective(BEST), s.columns(BEST)[::-1]],
    ]
    row = play("adv--tight", script, "optimize")
    assert (row["best_exact_value"], row["fault"], row["replayed_value"]) == (0.25, "none", 0.25)
    row = play("adv--tight", script[:2], "optimize")
    assert (row["best_exact_value"], row["fault"], row["replayed_value"]) == (0.125, "none", None)


# -- floods ------------------------------------------------------------------------------------------------------


def test_flood_of_incumbents_neither_stalls_the_run_nor_starves_its_judge(play, steps):
    s = steps("adv--tight")
    row = play("adv--tight", [["flood", 100_000, s.columns(CENTRE)]], "optimize", time_limit_seconds=60.0)
    assert (row["ended_by"], row["incumbents"], row["best_exact_value"]) == ("solver", 100_000, -0.75)
    assert row["wall_seconds"] < 50


def test_find_ends_at_a_success_in_the_midst_of_a_flood(play, steps):
    """Its claim is above all others; it is judged although it does not stay the newest for long."""
    s = steps("adv--tight")
    flood = ["flood", 100_000, s.columns(CENTRE)]
    row = play("adv--tight", [flood, s.incumbent(GOOD), flood, ["wait_stop", 30]], "find")
    assert (row["ended_by"], row["verdict"]) == ("judge", "adversarial")
    assert row["incumbents"] < 200_000


def test_claim_about_what_was_sent_before_is_the_last_one(play, steps):
    s = steps("adv--tight")
    sent = [s.incumbent(BEST), s.incumbent(GOOD), s.incumbent(BEST, -0.5)]
    row = play("adv--tight", sent, "optimize")
    assert (row["incumbents"], row["claimed_value"], row["best_exact_value"]) == (3, 0.5, 0.25)


def test_flood_of_bounds_is_thinned_and_the_last_is_kept(play):
    bounds = [["bound", -1 + 1e-4 * i] for i in range(5000)]
    row = play("adv--tight", bounds, "optimize")
    steps = json.loads(row["dual_steps"])
    assert len(steps) == 1000
    assert (steps[0][1], steps[-1][1]) == (1.0, row["dual_bound"])
    assert all(a[0] <= b[0] and a[1] > b[1] for a, b in pairwise(steps))


def test_stored_candidates_are_at_most_a_thousand(play, steps):
    s = steps("adv--tight")
    row = play("adv--tight", [["flood", 5000, s.columns(GOOD)]], "optimize")
    trajectory, _, _ = read_candidates(play.results / "candidates" / f"{row['run']}.npz")
    seconds = [candidate.seconds for candidate in trajectory.candidates]
    assert (row["incumbents"], len(trajectory.candidates), trajectory.dropped) == (5000, 1000, 4000)
    assert seconds == sorted(seconds)
    assert row["first_success_seconds"] == seconds[0]
    assert [trajectory.candidates[i].claimed_value for i in (0, -1)] == pytest.approx([0.0, 4999e-6])
