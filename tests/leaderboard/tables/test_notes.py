"""The notes on the tables, at their places: what is wrong, disturbed or left out, and how much ranks say."""

from __future__ import annotations

import json

import pytest

from support.rankings import add_several_limits, add_two_goals
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.tables.notes import notes_on, summary_of
from vnnbench.leaderboard.tables.render import Format, render

TIMES = "Times: over the 1 of 1 triples of instance, seed and permutation that every setting ran."


def test_several_limits_and_goals_are_said(ledger):
    add_several_limits(ledger)
    assert not any("goals" in note for note in notes_on(build_leaderboard(ledger.runs())).all)
    ledger.found("f", "sha-i0", 1.0, goal="find")
    notes = notes_on(build_leaderboard(ledger.runs())).above
    assert "Time limits differ (1 to 300 s): every run is cut at the shortest of those compared." in notes
    assert "The goals decide, find ask different questions: times and ranks are within each goal." in notes


def test_pairs_of_groups_that_are_alike_are_one_line(ledger):
    add_two_goals(ledger)
    notes = notes_on(build_leaderboard(ledger.runs())).on_times
    test = "(sign-flip test, Holm, 5 %)"
    few, least = "2 independent problems are too few to separate 1 pair of settings", "the least possible p is 0.5."
    assert notes[1] == f"{few} {test} in every group: {least}"
    assert f"{few} {test}: {least}" in notes_on(build_leaderboard(ledger.runs().query("goal == 'find'"))).on_times


@pytest.mark.parametrize(
    ("problems", "told"),
    [(5, "5 independent problems are too few to separate 1 pair of settings"), (6, "0 of 1 pair of settings differ")],
)
def test_problems_too_few_for_the_test_are_called_so(ledger, problems, told):
    for number in range(problems):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        ledger.found(f"h{number}", sha, 2.0 + number % 2, solver="highs")
        ledger.found(f"s{number}", sha, 2.5, solver="scip")
    assert [note for note in notes_on(build_leaderboard(ledger.runs())).on_times if note.startswith(told)]


def test_pairs_of_many_groups_are_one_line(ledger):
    """Six groups of one problem and one of two; then one of six problems, over which scip is the faster one."""
    for number in range(8):
        sha = ledger.instance(f"i{number}", problem=f"p{number}", depth=min(number, 6))
        for solver in ("highs", "scip"):
            ledger.found(f"{solver}{number}", sha, 1.0, solver=solver)
    test = "(sign-flip test, Holm, 5 %)"
    few = f"1 to 2 independent problems are too few to separate 1 pair of settings {test} in every group"
    assert f"{few}: the least possible p is 0.5." in notes_on(build_leaderboard(ledger.runs(), ["depth"])).on_times
    for number in range(6):
        sha = ledger.instance(f"j{number}", problem=f"q{number}", depth=7)
        ledger.found(f"h{number}", sha, 50.0)
        ledger.found(f"s{number}", sha, 5.0, solver="scip")
    assert (
        f"1 of 1 pair of settings in 1 group differs {test}; in 7 more groups, 1 to 2 independent problems are too few "
        "to separate any: the least possible p is 0.5."
    ) in notes_on(build_leaderboard(ledger.runs(), ["depth"])).on_times


def test_settings_that_were_refused_everything_are_named_with_the_group(two_solvers):
    """The setting gurobi is refused all of depth 4, cbc everything."""
    for number in range(2):
        sha = two_solvers.instance(f"deep{number}", problem=f"d{number}", depth=4)
        two_solvers.run(f"h{number}", sha)
        for solver in ("gurobi", "cbc"):
            two_solvers.run(f"{solver}{number}", sha, solver=solver, termination="license_limit", wall_seconds=0.1)
    board = build_leaderboard(two_solvers.runs(), ["depth"])
    refused = {group for one in board.common for group in [one.group] if "gurobi" in one.not_compared}
    assert refused == {(4,)}
    assert "Refused everything: cbc (depth 4), gurobi (depth 4)." in notes_on(board).above
    assert "Refused everything: cbc, gurobi." in notes_on(build_leaderboard(two_solvers.runs())).above


def test_tolerance_is_not_mentioned_where_it_was_not_measured(ledger):
    for solver, seconds in (("highs", 1.0), ("scip", 20.0)):
        ledger.robust(solver, "sha-a" if solver == "scip" else ledger.instance("a"), seconds, solver=solver)
    same = "The ranks are the same by shifts of 1 and 100 s, PAR2, PAR10, the number done (equal ones by sgm10), "
    assert f"{same}and with spent runs as unsolved." in notes_on(build_leaderboard(ledger.runs())).on_times
    for solver in ("highs", "scip"):
        ledger.judge(solver, primal_steps="[]")
    notes = notes_on(build_leaderboard(ledger.runs())).on_times
    assert f"{same}with spent runs as unsolved, and at every tolerance." in notes


def test_notes_say_what_times_are_over_and_what_is_left_out(three_solvers):
    notes = notes_on(build_leaderboard(three_solvers.runs()))
    assert "Left out of all times: 2 of 10 triples (2 not run by all)." in notes.above
    (refused,) = [note for note in notes.above if note.startswith("Refused everything: ")]
    assert refused.startswith("Refused everything: gurobi (dense files, formulation surrogatelib; dense files, ")
    over = "Times: over the 8 of 10 triples of instance, seed and permutation that every setting of its group ran."
    assert over in notes.on_times


def test_wrong_settings_are_counted_first(three_solvers):
    notes = notes_on(build_leaderboard(three_solvers.runs()))
    assert notes.wrong == ("Wrong answers in 1 run: scip 1. Such a setting has no rank.",)
    assert summary_of(build_leaderboard(three_solvers.runs())) == "22 runs: 1 wrong, none disturbed, 8 missing."


def test_ranks_that_differ_by_other_measures_are_said(flipping):
    notes = notes_on(build_leaderboard(flipping.runs())).on_times
    assert "Other measures give other ranks: PAR2, PAR10, done." in notes
    flipping.run("alone", flipping.instance("alone", depth=4))
    flipping.run("too", "sha-alone", solver="scip")
    notes = notes_on(build_leaderboard(flipping.runs(), ["depth"])).on_times
    assert "Other measures give other ranks in 1 of 2 groups: PAR2, PAR10, done." in notes


def test_limits_of_goals_that_are_ranked_apart_do_not_differ(ledger):
    ledger.run("d", ledger.instance("a"))
    ledger.run("f", "sha-a", goal="find", time_limit_seconds=5.0)
    assert "Time limits differ" not in said(ledger)
    ledger.run("s", "sha-a", goal="find", solver="scip")
    assert "Time limits differ (5 to 100 s): every run is cut at the shortest of those compared." in said(ledger)


def test_submitted_runs_are_said_to_be_of_others(ledger):
    ledger.machine("submitted-m2")
    ledger.run("r1", ledger.instance("a"))
    assert "Submitted" not in said(ledger)
    ledger.run("r2", "sha-a", machine="submitted-m2")
    assert (
        "Submitted from 1 machine (`vnnbench merge`): times, terminations and bounds are as submitted; every candidate "
        "was judged here."
    ) in said(ledger)
    assert "2 machines: times and ranks are within each type of CPU, and those of submitted runs apart." in said(ledger)


def test_machines_with_one_type_of_cpu_are_said_to_be_compared(ledger):
    ledger.machine("m2", cpu="m1")
    ledger.run("r1", ledger.instance("a"))
    assert "machine" not in said(ledger)
    ledger.run("r2", "sha-a", machine="m2", seed=1)
    assert "The runs come from 2 machines of one type of CPU, m1: their times are compared." in said(ledger)


def said(ledger):
    """Return the notes as one text."""
    return " ".join(notes_on(build_leaderboard(ledger.runs())).all)


def test_conditions_that_do_not_differ_are_not_mentioned(ledger):
    ledger.run("r1", ledger.instance("a"), cores="1", foreign_seconds=0.0, swapped_bytes=0)
    ledger.judge("r1", primal_steps="[]")
    assert said(ledger).startswith(f"{TIMES} Tolerance changes nothing")


def test_limits_held_by_different_means_are_said(ledger):
    sha = ledger.instance("a")
    for seed, level in enumerate(["namespace", "process-group", "namespace"]):
        ledger.run(f"r{seed}", sha, seed=seed, enforcement=level)
    assert "The limits of these runs were enforced by different means: 2 namespace, 1 process-group." in said(ledger)


def test_use_counted_by_different_means_is_said_and_older_runs_do_not_say(ledger):
    sha = ledger.instance("a")
    for seed, counted in enumerate(["cgroup-cpu", "sampling", "cgroup-cpu", None]):
        ledger.run(f"r{seed}", sha, seed=seed, counted=counted)
    assert "Processor time and memory were measured by different means: 2 cgroup-cpu, 1 sampling." in said(ledger)


def test_disturbed_runs_are_counted_and_unrecorded_ones_are_not(ledger):
    sha = ledger.instance("a")
    ledger.run("r0", sha, cores="0,1", foreign_seconds=90.0, swapped_bytes=0)
    ledger.run("r1", sha, seed=1, cores="0,1", foreign_seconds=0.01, swapped_bytes=0)
    ledger.run("r2", sha, seed=2)
    assert (
        "1 of 3 runs was disturbed (1 on cores that others used too): repeat with `vnnbench run LIBRARY --results "
        "RESULTS --retry disturbed`."
    ) in said(ledger)


def test_disturbed_runs_of_the_reference_count(ledger):
    """They are counted as `run` counts them, and as `run --retry disturbed` makes them again."""
    sha = ledger.instance("a")
    ledger.run("r0", sha, cores="0,1", foreign_seconds=0.01, swapped_bytes=0)
    ledger.run("p0", sha, solver="pgd", cores="", swapped_bytes=0)
    assert "1 of 2 runs, including those of the reference, was disturbed (1 without own cores)" in said(ledger)
    alone = build_leaderboard(ledger.runs().query("solver == 'pgd'"))
    assert "1 of 1 runs, including those of the reference, was disturbed" in render(alone, Format.TABLE)


def test_disturbed_runs_are_counted_once_each_by_their_reason(ledger):
    sha = ledger.instance("a")
    reasons = [("", 0.0, 4096), ("", 0.0, 0), ("", 0.0, None), ("0", 90.0, 4096), ("0", 0.0, 1), ("0", 90.0, 0)]
    for seed, (cores, foreign, swapped) in enumerate([*reasons, ("0", 0.0, 0), (None, None, None)]):
        ledger.run(f"r{seed}", sha, seed=seed, cores=cores, foreign_seconds=foreign, swapped_bytes=swapped)
    for seed, swapped in ((8, 0), (9, 1)):
        kept = {"cores": "0", "foreign_seconds": 90.0, "swapped_bytes": swapped, "stalled_seconds": 2.0}
        ledger.run(f"r{seed}", sha, seed=seed, **kept)
    assert (
        "8 of 10 runs were disturbed (3 without own cores, 3 while the machine swapped, 1 while the harness was "
        "stalled, 1 on cores that others used too): "
    ) in said(ledger)
    conditions = json.loads(render(build_leaderboard(ledger.runs()), Format.JSON))["conditions"]
    names = ("disturbed", "without_cores", "while_swapping", "while_stalled", "by_others")
    assert [conditions[name] for name in names] == [8, 3, 3, 1, 1]


def test_disturbed_runs_that_were_all_submitted_cannot_be_repeated_here(ledger):
    ledger.machine("submitted-m2")
    ledger.run("r0", ledger.instance("a"), machine="submitted-m2", cores="", swapped_bytes=0)
    assert "(1 without own cores): they can be repeated only where they were made." in said(ledger)
    ledger.run("r1", "sha-a", seed=1, cores="", swapped_bytes=0)
    assert "(2 without own cores): repeat with `vnnbench run LIBRARY" in said(ledger)


def test_runs_missing_on_one_type_of_cpu_may_be_on_another(ledger):
    ledger.machine("m2")
    for number, (solver, machine) in enumerate((("highs", "m1"), ("scip", "m1"), ("scip", "m2"), ("highs", "m1"))):
        ledger.run(f"r{number}", ledger.instance(f"i{number // 2}") if number % 2 == 0 else f"sha-i{number // 2}",
                   solver=solver, machine=machine)  # fmt: skip
    assert "(scip 1): their plans differ, they were made on another type of CPU, or a " in said(ledger)


def test_runs_with_impossible_times_are_counted_and_the_first_are_named(ledger):
    sha = ledger.instance("a")
    for seed in range(5):
        ledger.run(f"r{seed}", sha, seed=seed, wall_seconds=-1.0 if seed else 1.0)
    assert "4 of 5 runs have times that no run can have (r1, r2, r3, 1 more run): negative, long after " in said(ledger)


def test_settings_that_lack_runs_are_named_with_how_many(ledger):
    for number in range(6):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        for place, solver in enumerate(("highs", "scip", "cbc", "glpk", "gurobi")):
            if number >= place:
                ledger.run(f"{solver}{number}", sha, solver=solver)
    assert (
        "Runs are missing that others made (gurobi 4, glpk 3, cbc 2, 1 more setting): their plans differ, or a "
        "`vnnbench run` was stopped; the same command continues it."
    ) in said(ledger)
    conditions = json.loads(render(build_leaderboard(ledger.runs(), ["problem"]), Format.JSON))["conditions"]
    assert conditions["lacking"] == {"gurobi": 4, "glpk": 3, "cbc": 2, "scip": 1}


def test_no_setting_lacks_runs_that_only_another_machine_made(ledger):
    ledger.machine("m2")
    ledger.run("r1", ledger.instance("a"))
    ledger.run("r2", ledger.instance("b"), machine="m2")
    assert "missing" not in said(ledger)
    ledger.run("r3", "sha-b", solver="scip", machine="m2")
    assert "missing" not in said(ledger)
    ledger.run("r4", "sha-a", solver="scip", machine="m2")
    assert "Runs are missing that others made (highs 1): their plans differ" in said(ledger)


def test_later_attempts_are_said(ledger):
    sha = ledger.instance("a")
    ledger.run("r", sha)
    ledger.run("r-2", sha, attempt=2)
    ledger.run("s", sha, seed=1)
    assert "1 of 2 runs has several attempts: a wrong one counts, else the newest." in said(ledger)


def test_pairs_without_a_significant_difference_are_named(flipping):
    assert "1 of 1 pair of settings differs (sign-flip test, Holm, 5 %)." in said(flipping)
    for number in range(11):
        flipping.found(f"c{number}", f"sha-i{number}", 20.0 + number % 2, solver="cbc")
        flipping.found(f"g{number}", f"sha-i{number}", 50.0 + number, solver="glpk")
    assert (
        "3 of 6 pairs of settings differ (sign-flip test, Holm, 5 %); these do not: scip and cbc; scip and "
        "highs; cbc and highs."
    ) in said(flipping)


def test_ranks_that_hold_by_every_measure_are_one_line(ledger):
    sha = ledger.instance("a")
    for solver, seconds in (("highs", 1.0), ("scip", 2.0)):
        ledger.found(solver, sha, seconds, solver=solver)
        ledger.judge(solver, confirmed=1, evidence="exact", best_exact_value=0.5, first_success_seconds=seconds,
                     primal_steps="[]", as_given_violation=0.0, repaired_violation=0.0)  # fmt: skip
    text = " ".join(render(build_leaderboard(ledger.runs()), Format.TABLE).split())
    assert "Ranks by other measures" not in text
    assert "The ranks are the same by shifts of 1 and 100 s, PAR2, PAR10" in text


def test_own_limits_of_instances_are_said(ledger):
    for name, own in (("a", 30.0), ("b", 60.0)):
        digest = ledger.instance(name, problem=name, time_limit_seconds=own)
        ledger.robust(name, digest, 5.0, time_limit_seconds=own)
    assert "Each instance has its own time limit (30 to 60 s)." in said(ledger)
    assert "Time limits differ" not in said(ledger)
    ledger.run("s", "sha-a", solver="scip", time_limit_seconds=60.0, wall_seconds=60.0)
    assert "Time limits differ (60 s and each instance's own): every run is cut at the shortest" in said(ledger)
