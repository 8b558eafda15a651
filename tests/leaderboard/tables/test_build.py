"""The contents of the tables: columns, rows and headings, and their places."""

from __future__ import annotations

import json

import pytest
from rich.cells import cell_len

from support.trainings import Trainings
from vnnbench.leaderboard.ranking.column_form import Table
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.tables.build import sheets_of, totals_sheet
from vnnbench.leaderboard.tables.render import Format, render


def sheet(board, title):
    """Return the one table of this title."""
    (found,) = [one for one in sheets_of(board) if one.title == title]
    return found


@pytest.fixture
def with_values(three_solvers):
    """The runs of three solvers, and a maximization: highs finds 2 on the dense network and 1.5 through a surrogate,
    both to the optimum."""
    kind = {"pruning": "magnitude", "structure": "unstructured", "rate": 0.9}
    dense = three_solvers.instance("top", problem="top", threshold=None, family="maximize", dataset=None, norm="box")
    pruned = three_solvers.instance("top-mag", problem="top", threshold=None, network="top-mag", dataset=None, **kind)
    for run, sha, value in (("d", dense, 2.0), ("s", pruned, 1.5)):
        three_solvers.run(run, sha, goal="optimize", termination="optimal", wall_seconds=3.0)
        three_solvers.judge(run, confirmed=1, evidence="exact", best_exact_value=value)
    return three_solvers


def test_values_have_a_column_and_a_table_where_a_run_has_one(with_values):
    board = build_leaderboard(with_values.runs())
    assert max(map(cell_len, render(board, Format.TABLE).splitlines())) <= 80
    totals, values = totals_sheet(board), sheet(board, Table.SURROGATE_VALUES)
    assert totals.columns == ["runs", "solved", "cex", "robust", "value", "spent", "time", "lic", "wrong"]
    assert ("highs optimize", "2", "2", "0", "0", "2", *"0000") in [(row.name, *row.cells) for row in totals.rows]
    assert [values.name, *values.columns] == ["surrogate", "pairs", "left", "dense", "surr.", "better", "worse"]
    assert [(row.name, *row.cells) for row in values.rows] == [
        ("magnitude unstructured 0.9", "1", "0", "1", "1", "0%", "100%")
    ]
    (found,) = json.loads(render(board, Format.JSON))["surrogate_values"]
    assert (found["dense_values"], found["surrogate_better"], found["dense_better"]) == (1, 0.0, 1.0)
    assert "### Values: surrogate against dense" in render(board, Format.MARKDOWN)


def test_other_endings_have_their_column_where_there_are_any(three_solvers):
    assert "other:" not in render(build_leaderboard(three_solvers.runs()), Format.TABLE)
    three_solvers.run("n", "sha-p2--tight", seed=11, termination="node_limit")
    three_solvers.run("o", "sha-p2--tight", seed=12, termination=None, ended_by="output")
    text = render(build_leaderboard(three_solvers.runs()), Format.TABLE)
    cells = [line.split() for line in text.splitlines()]
    head = ["setting", "runs", "solved", "cex", "robust", "spent", "time", "lic", "other", "wrong"]
    assert head in cells
    assert any(line[:1] == ["highs"] and line[-2:] == ["2", "0"] for line in cells)
    assert "other: runs ended by another limit" in " ".join(text.split())


def test_totals_leave_out_columns_of_zeros(ledger):
    ledger.run("r", ledger.instance("a"))
    lines = render(build_leaderboard(ledger.runs()), Format.TABLE).splitlines()
    place = lines.index("Answers")
    assert [lines[place + 1].split(), lines[place + 3].split()] == [
        ["setting", "runs", "solved", "cex", "robust", "spent", "time"], ["highs", *"100001"],
    ]  # fmt: skip
    assert "time: stopped by the time limit. Columns of zeros are left out." in " ".join(lines[place + 4 :])


def test_a_ledger_without_values_has_no_column_for_them(three_solvers):
    assert "value" not in render(build_leaderboard(three_solvers.runs()), Format.TABLE).lower()


def test_transfer_is_that_of_candidates_and_stands_by_size(ledger):
    """On 2x16, 1 + 0 of 4 + 4 candidates transfer, on 4x64 1 of 2; on 6x64 none were counted."""
    cases = (("a", 2, 16, 4, 1), ("b", 2, 16, 4, 0), ("c", 4, 64, 2, 1), ("d", 6, 64, None, None))
    for problem, depth, width, own, transferred in cases:
        ledger.run(f"d{problem}", ledger.instance(problem, problem=problem, depth=depth, width=width))
        kind = {"pruning": "magnitude", "structure": "unstructured", "rate": 0.9, "depth": depth, "width": width}
        pruned = ledger.instance(f"{problem}-mag", problem=problem, network="net-mag", **kind)
        ledger.run(f"s{problem}", pruned)
        ledger.judge(f"s{problem}", own_answers=own, transferred_answers=transferred)
    board = build_leaderboard(ledger.runs(), ["depth", "width"])
    found = sheet(board, Table.PREPARATION)
    assert [found.name, *found.columns] == [
        "surrogate", "cand.", "transf", "timed", "faster", "slower", "speed-up", "best",
    ]  # fmt: skip
    assert {row.name for row in found.rows} == {"magnitude unstructured 0.9"}
    assert [(row.section, *row.cells[:2]) for row in found.rows] == [
        ("depth 2, width 16, highs tight", "8", "12%"),  # 1 of 8
        ("depth 4, width 64, highs tight", "2", "50%"),
        ("depth 6, width 64, highs tight", "–", "–"),
    ]
    assert "Transferred candidates were not counted in 1 run on a surrogate" in " ".join(
        render(board, Format.TABLE).split()
    )


def test_section_of_a_group_stands_above_its_rows(three_solvers):
    lines = render(build_leaderboard(three_solvers.runs(), ["depth", "formulation"]), Format.TABLE).splitlines()
    place = lines.index("dense files, formulation surrogatelib, depth 4")
    assert lines[place + 1].startswith("highs ")


def test_rates_of_one_setting_and_formulation_stand_under_one_heading(three_solvers):
    kind = {"pruning": "magnitude", "structure": "unstructured", "rate": 0.3}
    sparse = three_solvers.instance("p1-mag-u30", problem="p1", network="net-u30", **kind)
    for solver in ("highs", "scip"):
        three_solvers.found(f"{sparse}{solver}", sparse, 0.1, solver=solver)
    rows = sheet(build_leaderboard(three_solvers.runs(), ["rate"]), Table.SURROGATES).rows
    assert [(row.section, row.name) for row in rows if row.section.endswith(" tight")] == [
        (f"{solver} tight", f"magnitude unstructured {kind}")
        for solver in ("highs", "scip")
        for kind in ("0.3", "0.9 ft")
    ]


def test_dash_for_the_interval_is_explained_where_a_ranked_setting_has_one(ledger):
    explained = "–: fewer than 6 independent problems tell nothing"
    for number in range(5):
        ledger.run(f"r{number}", ledger.instance(f"a{number}", problem=f"p{number}", depth=2))
    assert explained in " ".join(render(build_leaderboard(ledger.runs()), Format.TABLE).split())
    ledger.run("r5", ledger.instance("b", problem="q", depth=4))
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    assert explained not in " ".join(text.split())
    assert "virtual best" in text and "–" in text
    assert explained in " ".join(render(build_leaderboard(ledger.runs(), ["depth"]), Format.TABLE).split())


def test_independent_problems_and_holm_are_explained_where_settings_are_tested(ledger):
    explained = "Problems that share an image are one independent problem; Holm corrects p for the number of pairs."
    ledger.run("h", ledger.instance("a"))
    assert explained not in sheet(build_leaderboard(ledger.runs()), Table.TIMES).brief
    ledger.run("s", "sha-a", solver="scip")
    both = sheet(build_leaderboard(ledger.runs()), Table.TIMES)
    assert explained in both.brief and explained in both.legend


def test_runs_of_several_types_of_cpu_are_said_to_be_ranked_apart(ledger):
    ledger.machine("m2")
    sha = ledger.instance("a")
    ledger.run("r1", sha)
    ledger.run("r2", sha, seed=1, machine="m2")
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    assert "The runs come from 2 machines: times and ranks are within each type of CPU." in text
    assert "Submitted" not in text
    assert [line for line in text.splitlines() if line.startswith("cpu ")] == ["cpu m1", "cpu m2"]
    assert [row.section for row in sheet(build_leaderboard(ledger.runs()), Table.ANSWERS).rows] == [
        "cpu m1", "cpu m2",
    ]  # fmt: skip


def test_goal_is_said_once_where_a_label_says_it(ledger):
    given, pruned = ledger.instance("a"), ledger.instance("s", network="net-mag", pruning="magnitude")
    for goal in ("find", "decide"):
        ledger.found(f"d{goal}", given, 2.0, goal=goal)
        ledger.found(f"s{goal}", pruned, 1.0, goal=goal)
    rows = sheet(build_leaderboard(ledger.runs()), Table.SURROGATES).rows
    assert [row.section for row in rows] == ["highs decide tight", "highs find tight"]


def test_legend_says_what_is_solved_and_that_only_what_is_in_time_counts(ledger):
    ledger.robust("late", ledger.instance("a"), 100.5)
    answers = sheet(build_leaderboard(ledger.runs()), Table.ANSWERS)
    counts = dict(zip(answers.columns, answers.rows[0].cells, strict=True))
    assert [counts[name] for name in ("runs", "solved", "robust", "time")] == ["1", "0", "0", "1"]
    assert "Both within the time limit: a later answer counts as time." in answers.legend
    assert "optimize" not in answers.legend + answers.brief
    ledger.run("o", "sha-a", goal="optimize")
    board = build_leaderboard(ledger.runs())
    for output in (Format.TABLE, Format.MARKDOWN, Format.LATEX):
        assert "olved: cex or robust; with goal optimize, only if also proved optimal." in " ".join(
            render(board, output).split()
        )


def test_primal_integral_stands_among_the_times(ledger):
    ledger.run("r", ledger.instance("a", centre_value=-1.0))
    ledger.judge("r", best_exact_value=-1.0, primal_steps="[[12.5, -1.0]]")
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    times = text[text.index("\nSolvers on files: ") :].splitlines()
    assert times[2].split()[-2:] == ["first", "primal"]
    assert times[4].split()[-2:] == ["–", "12.5"]


def test_certified_answers_have_their_column_where_there_are_any(ledger):
    ledger.robust("r0", ledger.instance("a"), 1.0)
    ledger.robust("r1", ledger.instance("b", problem="q"), 1.0)
    runs = ledger.runs()
    assert "cert" not in render(build_leaderboard(runs), Format.TABLE)
    runs["evidence"] = runs["evidence"].where(runs["run"] != "r1", "certificate")
    board = build_leaderboard(runs)
    assert (board.settings[0].robust_certified, board.settings[0].robust_claimed) == (1, 1)
    cells = [line.split() for line in render(board, Format.TABLE).splitlines()]
    assert ["setting", "runs", "solved", "cex", "robust", "cert", "spent", "time"] in cells
    assert ["highs", "2", "2", "0", "2", "1", "0", "0"] in cells
    assert "certified by a proof + claimed" in render(board, Format.LATEX)


def test_virtual_best_stands_between_ranked_settings_and_the_line(three_solvers):
    three_solvers.found("third", "sha-p1--tight", 1.0, solver="cbc")
    board = build_leaderboard(three_solvers.runs())
    rows = [row for row in sheet(board, Table.TIMES).rows if row.section == "dense files, formulation tight"]
    assert [row.name for row in rows] == ["cbc", "highs", "gurobi", "virtual best", "✗ scip"]
    assert [row.name for row in rows if row.below_line] == ["✗ scip"]
    assert "virtual best" in sheet(board, Table.TIMES).legend


def test_ranks_that_flip_are_marked(flipping):
    ranks = sheet(build_leaderboard(flipping.runs()), Table.RANKS)
    assert [(row.name, *row.cells) for row in ranks.rows] == [
        ("scip", "1", "1", "1", "2!", "2!", "2!", "1", "1", "1"),
        ("highs", "2", "2", "2", "1!", "1!", "1!", "2", "2", "2"),
    ]
    document = json.loads(render(build_leaderboard(flipping.runs(), ["depth"]), Format.JSON))
    assert [(row["setting"], row["rank"], row["flips"]) for row in document["ranks"]] == [
        ("scip", 1, ["par2", "par10", "solved"]), ("highs", 2, ["par2", "par10", "solved"]),
    ]  # fmt: skip
    (pair,) = document["pairs"]
    assert (pair["faster"], pair["slower"], pair["problems"], pair["depth"]) == ("scip", "highs", 11, None)
    assert document["virtual_best"][0]["common_solved"] == 10


def test_tables_of_problems_without_a_threshold_do_not_speak_of_counterexamples(ledger):
    trainings = Trainings(ledger)
    trainings.run("000", 0, 0.5, seconds=1.0)
    trainings.run("111", 0, 0.5)
    trainings.run("000", 0, 0.5, solver="scip")
    trainings.run("000", 0, 0.5, solver="perceptron", ranked=0, termination="other", objective=4.0)
    leaderboard = build_leaderboard(ledger.runs())
    text = render(leaderboard, Format.TABLE)
    cells = [line.split() for line in text.splitlines()]
    assert ["setting", "runs", "solved", "value", "time"] in cells
    assert ["highs", "2", "1", "2", "1"] in cells
    assert ["setting", "runs", "value", "better", "to", "best", "err"] in cells
    assert ["perceptron", "1", "1", "0", "50.00%", "0"] in cells
    for shown in (text, render(leaderboard, Format.LATEX)):
        words = " ".join(shown.split())
        assert "olved: proved optimal, with a confirmed value, within the time limit." in words
        assert "alue: a value confirmed in exact arithmetic within the time limit; a later one counts as time." in words
        assert not any(word in words.lower() for word in ("counterexample", "robust", "dense", "attack by"))


def test_values_are_compared_with_the_best_and_with_the_bound_where_no_run_is_solved(ledger):
    trainings = Trainings(ledger)
    trainings.run("000", 0, 0.5, objective=4.0, bound=1.0)
    trainings.run("000", 0, 0.5, objective=8.0, bound=4.0, solver="scip")
    ledger.run("c", ledger.instance("with-threshold"), goal="decide")
    leaderboard = build_leaderboard(ledger.runs())
    text = render(leaderboard, Format.TABLE)
    lines = text.splitlines()
    assert max(map(cell_len, lines)) <= 80
    place = lines.index("Values")
    assert [line.split() for line in lines[place + 1 : place + 6] if "─" not in line] == [
        ["setting", "runs", "best", "to", "best", "to", "bound"],
        ["goal", "optimize"],
        ["highs", "1", "1", "0.00%", "75.00%"],
        ["scip", "1", "0", "50.00%", "50.00%"],
    ]
    assert "### Values" in render(leaderboard, Format.MARKDOWN)
    assert "Value & Best & To best & To bound & sgm10" in render(leaderboard, Format.LATEX)


def test_a_run_that_found_nothing_leaves_the_columns_of_counterexamples(ledger):
    ledger.run("r", ledger.instance("a"))
    assert ["setting", "runs", "solved", "cex", "robust"] in [
        line.split()[:5] for line in render(build_leaderboard(ledger.runs()), Format.TABLE).splitlines()
    ]
