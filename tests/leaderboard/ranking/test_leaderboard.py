"""The ranking, on ledgers small enough to rank by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from support.rankings import add_two_goals, on_another_machine, rows
from support.trainings import Trainings
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard, needed_columns
from vnnbench.leaderboard.ranking.outcomes import UnknownColumnError
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.tables.notes import notes_on
from vnnbench.leaderboard.words import LedgerError


def test_counts_and_times_by_hand(two_solvers):
    highs = rows(two_solvers)["highs",]
    assert (highs.runs, highs.solved, highs.counterexamples, highs.robust_claimed) == (3, 2, 1, 1)
    assert (highs.timeouts, highs.memory, highs.errors, highs.license_limit, highs.wrong) == (1, 0, 0, 0, 0)
    # times 3, 8, 100 (limit). shift 1: (4 * 9 * 101)^(1/3) - 1; shift 10: (13 * 18 * 110)^(1/3) - 10
    assert highs.sgm1_seconds == pytest.approx(3636 ** (1 / 3) - 1, abs=1e-9)
    assert highs.sgm10_seconds == pytest.approx(25740 ** (1 / 3) - 10, abs=1e-9)
    assert highs.par10_seconds == pytest.approx((3 + 8 + 1000) / 3, abs=1e-9)
    assert highs.median_first_counterexample_seconds == 3.0

    scip = rows(two_solvers)["scip",]
    assert (scip.solved, scip.timeouts, scip.errors) == (1, 1, 1)
    # A crash after 0.5 s is unsolved: times 1, 100, 100.
    assert scip.par10_seconds == pytest.approx((1 + 1000 + 1000) / 3, abs=1e-9)
    assert scip.sgm1_seconds == pytest.approx((2 * 101 * 101) ** (1 / 3) - 1, abs=1e-9)


def test_further_numbers_by_hand(two_solvers):
    highs, scip = rows(two_solvers)["highs",], rows(two_solvers)["scip",]
    # times 3, 8, 100 and 1, 100, 100
    assert highs.sgm100_seconds == pytest.approx((103 * 108 * 200) ** (1 / 3) - 100, abs=1e-9)
    assert highs.par2_seconds == pytest.approx((3 + 8 + 200) / 3, abs=1e-9)
    assert (highs.rank, highs.sgm10_ratio, scip.rank) == (1, 1.0, 2)
    assert scip.sgm10_ratio == pytest.approx(scip.sgm10_seconds / highs.sgm10_seconds, abs=1e-12)
    # the best of each: 1, 8, 100
    (best,) = build_leaderboard(two_solvers.runs()).virtual_best
    assert (best.common_runs, best.common_solved) == (3, 2)
    assert best.sgm10_seconds == pytest.approx((11 * 18 * 110) ** (1 / 3) - 10, abs=1e-9)
    assert best.par10_seconds == pytest.approx((1 + 8 + 1000) / 3, abs=1e-9)
    assert best.sgm10_ratio == pytest.approx(best.sgm10_seconds / highs.sgm10_seconds, abs=1e-12)
    assert (highs.alone, scip.alone) == (1, 0)
    assert scip.contribution == pytest.approx(1 - best.sgm10_seconds / highs.sgm10_seconds, abs=1e-12)
    assert highs.contribution == pytest.approx(1 - best.sgm10_seconds / scip.sgm10_seconds, abs=1e-12)


def test_gap_and_nodes_are_those_that_the_solver_reported(ledger):
    a, b = ledger.instance("a"), ledger.instance("b", problem="q")
    ledger.run("ha", a, claimed_value=3.0, dual_bound=4.0, nodes=0)
    ledger.run("hb", b, dual_bound=4.0, nodes=300)
    ledger.run("sa", a, solver="scip", nodes=5)
    ledger.run("sb", b, solver="scip")
    highs, scip = rows(ledger)["highs",], rows(ledger)["scip",]
    assert highs.gap == pytest.approx((0.25 + 1.0) / 2, abs=1e-12)
    assert highs.nodes == pytest.approx((100 * 400) ** 0.5 - 100, abs=1e-9)
    assert (highs.nodes_runs, highs.common_runs) == (2, 2)
    assert (scip.gap, scip.nodes_runs, scip.common_runs) == (1.0, 1, 2)  # its other run did not report
    assert scip.nodes == pytest.approx(5, abs=1e-9)


def test_values_by_hand(ledger):
    """Two solvers minimize on four splits; a heuristic is better on the first one, which changes nothing."""
    trainings = Trainings(ledger)
    trainings.run("000", 0, 0.5, objective=4.0, bound=1.0)  # best, and |4 - 1| / 4
    trainings.run("000", 1, 0.5, objective=5.0, bound=4.0)  # |5 - 4| / 5 to both
    trainings.run("000", 2, None, bound=3.0)  # 1 and 1
    trainings.run("000", 3, 0.5, objective=2.0)  # best; no bound: 1
    trainings.run("000", 0, 0.5, objective=8.0, bound=2.0, solver="scip")  # |8 - 4| / 8, |8 - 2| / 8
    trainings.run("000", 1, 0.5, objective=4.0, seconds=9.0, solver="scip")  # solved
    trainings.run("000", 2, 0.5, objective=7.0, bound=7.0, solver="scip")  # best, and 0
    trainings.run("000", 3, 0.5, objective=2.0002, bound=0.0, solver="scip")  # as good as the best; 1
    trainings.run("000", 0, 0.5, objective=3.0, solver="perceptron", ranked=0)
    highs, scip = rows(ledger)["highs",], rows(ledger)["scip",]
    assert (highs.value_runs, highs.best_values, scip.value_runs, scip.best_values) == (4, 2, 4, 3)
    assert highs.best_gap == pytest.approx((0 + 0.2 + 1 + 0) / 4, abs=1e-12)
    assert highs.bound_gap == pytest.approx((0.75 + 0.2 + 1 + 1) / 4, abs=1e-12)
    assert scip.best_gap == pytest.approx((0.5 + 0 + 0 + 0.0002 / 2.0002) / 4, abs=1e-12)
    assert scip.bound_gap == pytest.approx((0.75 + 0 + 0 + 1) / 4, abs=1e-12)


def test_a_value_found_on_a_surrogate_has_no_gap_to_a_bound(ledger):
    top = {"problem": "top", "threshold": None, "dense_network": "top"}
    for run, name in (("d", "top"), ("s", "top-pruned")):
        ledger.run(run, ledger.instance(name, network=name, **top), dual_bound=4.0)
        ledger.judge(run, confirmed=1, evidence="exact", best_exact_value=2.0)
    dense, surrogate = (rows(ledger)[role, "highs"] for role in ("dense", "surrogate"))
    assert (dense.value_runs, dense.best_values, dense.best_gap, dense.bound_gap) == (1, 1, 0.0, 0.5)
    assert (surrogate.value_runs, surrogate.best_values, surrogate.best_gap, surrogate.bound_gap) == (1, 1, 0.0, None)


def test_the_bound_of_a_wrong_run_counts_as_missing(ledger):
    trainings = Trainings(ledger)
    trainings.run("000", 0, 0.5, objective=2.0, bound=2.2)  # its own value refutes that bound
    row = rows(ledger)["highs",]
    assert (row.wrong, row.best_gap, row.bound_gap) == (1, 0.0, 1.0)


def test_problems_with_a_threshold_have_no_gap_of_values(two_solvers):
    row = rows(two_solvers)["highs",]
    assert (row.value_runs, row.best_values, row.best_gap, row.bound_gap) == (0, 0, None, None)


def test_nodes_that_no_run_reports_are_missing(ledger):
    ledger.run("r", ledger.instance("a"))
    row = rows(ledger)["highs",]
    assert (row.nodes, row.nodes_runs, row.common_runs) == (None, 0, 1)


def test_integrals_are_over_the_runs_whose_steps_were_recorded_and_the_others_are_counted(ledger):
    for number in range(3):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        ledger.run(f"r{number}", sha, dual_steps="[]" if number == 2 else None)
        ledger.judge(f"r{number}", primal_steps=None if number == 0 else "[]")
    board = build_leaderboard(ledger.runs())
    (row,) = board.settings
    assert (row.primal_integral_seconds, row.primal_integral_runs) == (100.0, 2)
    assert (row.dual_integral_seconds, row.dual_integral_runs) == (100.0, 1)
    note = "primal: over 2 of the 3 runs of highs; an earlier version recorded no steps of the others."
    assert note in notes_on(board).on_times
    ledger.judge("r0", primal_steps="[]")
    assert not [note for note in notes_on(build_leaderboard(ledger.runs())).all if note.startswith("primal")]


def test_the_smaller_mean_ranks_first(two_solvers):
    assert [key[0] for key in rows(two_solvers)] == ["highs", "scip"]
    two_solvers.found("ga", "sha-a", 0.1, solver="gurobi")
    two_solvers.robust("gb", "sha-b", 0.2, solver="gurobi")
    two_solvers.run("gc", "sha-c", solver="gurobi")
    assert [key[0] for key in rows(two_solvers)] == ["gurobi", "highs", "scip"]


def test_wrong_setting_goes_below_the_line_and_its_run_is_not_solved(two_solvers):
    two_solvers.found("w", "sha-b", 50.0, solver="gurobi", value=0.5)  # refutes the bound of highs on b
    board = build_leaderboard(two_solvers.runs())
    assert [row.setting.label for row in board.settings] == ["gurobi", "scip", "highs"]
    highs = board.settings[-1]
    assert (highs.below_line, highs.wrong, highs.solved, highs.robust_claimed) == (True, 1, 1, 0)
    assert not board.settings[0].below_line
    (fault,) = board.faults
    assert (fault.run, fault.instance, fault.solver, fault.setting, fault.fault) == (
        "hb",
        "b",
        "highs",
        "highs",
        "solver",
    )
    assert "from w" in fault.fault_reason


def test_a_wrong_answer_in_one_group_puts_the_setting_below_the_line_in_every_group(ledger):
    a, b = ledger.instance("a", depth=2), ledger.instance("b", problem="q", depth=4)
    ledger.found("h1", a, 1.0, dual_bound=-1.0)
    ledger.found("h2", b, 1.0)
    ledger.run("s1", a, solver="scip")
    ledger.run("s2", b, solver="scip")
    order = list(rows(ledger, "depth"))
    assert order == [(2, "scip"), (2, "highs"), (4, "scip"), (4, "highs")]


def test_tolerance_is_counted_and_never_ranked_down(ledger):
    sha = ledger.instance("a")
    ledger.run("r", sha)
    ledger.judge("r", row_violation=5e-6)
    row = rows(ledger)["highs",]
    assert (row.tolerance, row.wrong, row.below_line) == (1, 0, False)
    assert build_leaderboard(ledger.runs()).faults == ()


def test_goals_are_ranked_apart(ledger):
    add_two_goals(ledger)
    board = build_leaderboard(ledger.runs())
    assert board.by == ("goal",)
    assert [(*row.group, row.setting.label, row.rank) for row in board.settings] == [
        ("decide", "scip decide", 1),
        ("decide", "highs decide", 2),
        ("find", "highs find", 1),
        ("find", "scip find", 2),
    ]
    assert [(one.group, one.common, one.triples) for one in board.common] == [(("decide",), 3, 3), (("find",), 2, 2)]
    assert [best.sgm10_ratio for best in board.virtual_best] == [1.0, 1.0]
    assert board.conditions.lacking == ()
    assert build_leaderboard(ledger.runs(), ["problem", "goal"]).by == ("goal", "problem")


def test_types_of_cpu_are_ranked_apart(two_solvers):
    """On m2 scip alone ran a, faster than any run on m1: the times on m1 stay, and m2 has a common set of its own."""
    before = rows(two_solvers)
    two_solvers.found("sa2", "sha-a", 0.1, solver="scip", **on_another_machine(two_solvers))
    board = build_leaderboard(two_solvers.runs())
    assert board.by == ("cpu",)
    after = rows(two_solvers)
    assert list(after) == [("m1", "highs"), ("m1", "scip"), ("m2", "scip")]
    for label in ("highs", "scip"):
        times = [(row.sgm1_seconds, row.common_runs) for row in (before[(label,)], after["m1", label])]
        assert times[0] == times[1]
    assert (after["m2", "scip"].sgm1_seconds, after["m2", "scip"].common_runs) == (pytest.approx(0.1), 1)
    assert [(s.group, s.triples, s.common) for s in board.common] == [(("m1",), 3, 3), (("m2",), 1, 1)]


def test_types_of_cpu_come_before_the_wanted_groups(two_solvers):
    two_solvers.found("sa2", "sha-a", 0.1, solver="scip", **on_another_machine(two_solvers))
    board = build_leaderboard(two_solvers.runs(), ["norm"])
    assert board.by == ("cpu", "norm")
    assert {row.group for row in board.settings} == {("m1", None), ("m2", None)}
    assert build_leaderboard(two_solvers.runs(), ["norm", "cpu"]).by == ("cpu", "norm")


def test_one_type_of_cpu_is_named_when_grouped_by_it(two_solvers):
    assert build_leaderboard(two_solvers.runs()).by == ()
    assert set(rows(two_solvers, "cpu")) == {("m1", "highs"), ("m1", "scip")}


def test_machines_with_one_type_of_cpu_are_compared(two_solvers):
    """highs runs on one host, scip on two, one of them in two states; all runs count in one group."""
    for machine, host in (("m2", "n2"), ("m3", "n3"), ("m4", "n3")):
        two_solvers.machine(machine, cpu="m1", host=host)
    for number, machine in enumerate(("m1", "m2", "m3", "m4")):
        two_solvers.found(f"x{number}", "sha-a", 3.0, solver="scip", seed=5 + number, machine=machine)
        two_solvers.found(f"y{number}", "sha-a", 2.0, seed=5 + number)
    board = build_leaderboard(two_solvers.runs())
    assert board.by == ()
    assert [(row.setting.solver, row.runs, row.common_runs) for row in board.settings] == [
        ("highs", 7, 7), ("scip", 7, 7)
    ]  # fmt: skip
    assert (board.conditions.cpus, board.conditions.machines) == (("m1",), 3)


def test_wrong_answer_on_another_machine_is_wrong_here_too(two_solvers):
    two_solvers.run("sb2", "sha-b", solver="scip", termination="unbounded", **on_another_machine(two_solvers))
    assert {key: row.below_line for key, row in rows(two_solvers).items()} == {
        ("m1", "highs"): False, ("m1", "scip"): True, ("m2", "scip"): True,
    }  # fmt: skip


@pytest.mark.parametrize("machine", ["submitted-m2", "m2"])
def test_wrong_answer_that_was_submitted_counts_on_its_type_of_cpu_only(ledger, machine):
    # What one of our machines saw is known of the setting; a bound in a bundle is a claim of its sender.
    ledger.machine(machine)
    sha = ledger.instance("a")
    for solver in ("highs", "scip"):
        ledger.found(f"ours-{solver}", sha, 2.0, solver=solver)
        ledger.found(f"theirs-{solver}", sha, 3.0, solver=solver, machine=machine, seed=1)
    ledger.robust("forged", sha, 1.0, bound=-100.0, machine=machine, seed=2)
    board = build_leaderboard(ledger.runs())
    below = {(row.group[0], row.setting.solver): row.below_line for row in board.settings}
    ours = machine == "m2"
    assert below == {("m1", "highs"): ours, ("m1", "scip"): False, (machine, "highs"): True, (machine, "scip"): False}
    ranked = {(row.group[0], row.setting.solver) for row in board.ranks}
    assert ranked == {key for key, is_below in below.items() if not is_below}
    assert [(row.solver, row.run) for row in board.faults] == [("highs", "forged")]
    highs = next(row.setting for row in board.settings if row.setting.solver == "highs")
    part = ledger.runs().query("machine == 'm1'").reset_index(drop=True)
    rows = build_leaderboard(part, (), {(machine, highs.unlabelled)}).settings
    assert {row.setting.solver: row.below_line for row in rows} == {"highs": ours, "scip": False}


def test_by_seed_means_the_seed_of_the_catalogue(ledger):
    ledger.run("r", ledger.instance("a", seed=7), seed=2)
    assert list(rows(ledger, "seed")) == [(7, "highs")]


def test_misspelt_column_is_refused_with_the_right_one():
    told = r"^--by depht: the catalogue has no such column; did you mean depth\?$"
    with pytest.raises(UnknownColumnError, match=told):
        build_leaderboard(pd.DataFrame(), ["depht"])


def test_unknown_column_is_refused_with_the_known_ones():
    told = r"^--by colour: the catalogue has no such column; known are .*\bdepth\b"
    with pytest.raises(UnknownColumnError, match=told) as e:
        build_leaderboard(pd.DataFrame(), ["colour"])
    assert isinstance(e.value, LedgerError)
    assert "\n" not in str(e.value)


def test_the_leaderboard_is_the_same_from_the_columns_it_needs(two_solvers):
    two_solvers.found("w", "sha-b", 50.0, solver="gurobi", value=0.5)
    few = read_runs(two_solvers.path, needed_columns(["depth"]))
    assert len(few.columns) < len(two_solvers.runs().columns) - 30
    assert build_leaderboard(few, ["depth"]) == build_leaderboard(two_solvers.runs(), ["depth"])


def test_empty_ledger_has_an_empty_leaderboard(ledger):
    board = build_leaderboard(ledger.runs(), ["depth"])
    assert (board.settings, board.surrogates, board.faults, board.common, board.sensitivity) == ((), (), (), (), ())
    assert board.conditions.runs == 0
