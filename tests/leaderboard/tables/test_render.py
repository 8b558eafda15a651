"""What is printed: fits 80 columns, stays plain text whatever the ledger holds, and reads back."""

from __future__ import annotations

import csv
import io
import json

import pytest
from rich.cells import cell_len

from vnnbench.common.text import plain
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.tables.render import Format, render, watch_leaderboard, write_leaderboard
from vnnbench.leaderboard.text import format_number

LONG_NAMES = (  # noqa: SIM905
    "setting solver solver_version settings threads time_limit_seconds memory_limit_bytes goal runs solved spent "
    "counterexamples robust_certified robust_claimed values timeouts memory errors license_limit other wrong tolerance "
    "below_line rank rank_low rank_high common_runs common_solved sgm1_seconds sgm10_seconds sgm100_seconds sgm1_ratio "
    "sgm10_ratio sgm100_ratio par2_seconds par10_seconds median_first_counterexample_seconds primal_integral_seconds "
    "primal_integral_runs dual_integral_seconds dual_integral_runs gap nodes nodes_runs alone contribution"
).split()

JSON_NAMES = [
    "settings", "virtual_best", "ranks", "pairs", "surrogates", "surrogate_values", "faults", "common", "sensitivity",
    "conditions", "planted", "reference",
]  # fmt: skip

NO_CONDITIONS = {
    "runs": 0, "machines": 0, "submitted": 0, "permutations": 0, "goals": [], "time_limits": [], "enforcement": {},
    "counted": {}, "disturbed": 0, "without_cores": 0, "while_swapping": 0, "while_stalled": 0, "by_others": 0,
    "retried": 0, "tolerance": 0, "lacking": {},
}  # fmt: skip

HOSTILE = "[red]x[/red] \x1b[31m| <b> `code` :smile: \u202egnp"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def filled(ledger):
    """Three solvers, dense and finetuned surrogates in two formulations; gurobi refused, scip wrong, a tolerance."""
    for problem in ("p1", "p2"):
        for formulation in ("tight", "surrogatelib"):
            dense = ledger.instance(
                f"{problem}--{formulation}", problem=problem, formulation=formulation, depth=4, width=64
            )
            pruned = ledger.instance(
                f"mnist-28x28-{problem}-mag-u90-ft--{formulation}",
                problem=problem, formulation=formulation, network="net-mag", depth=4, width=64,
                pruning="magnitude", structure="unstructured", rate=0.9, finetuned=1,
            )  # fmt: skip
            for solver in ("highs", "scip"):
                ledger.found(f"{dense}{solver}", dense, 12.345, solver=solver)
                ledger.found(f"{pruned}{solver}", pruned, 0.1234, solver=solver)
            ledger.run(f"{dense}g", dense, solver="gurobi", termination="license_limit", wall_seconds=0.1)
    ledger.robust("liar", "sha-p1--tight", 1.0, solver="scip", seed=1)
    ledger.run("off", "sha-p2--tight", seed=1)
    ledger.judge("off", row_violation=5e-6)
    return ledger


@pytest.fixture
def hostile(ledger):
    sha = ledger.instance(HOSTILE, problem=HOSTILE, dataset=HOSTILE)
    ledger.run("r", sha, solver=HOSTILE, settings=json.dumps({HOSTILE: HOSTILE}), termination="unbounded")
    ledger.run("r2", sha, solver="other")
    return ledger


def test_terminal_tables_fit_80_columns_and_say_everything(filled):
    for by in [(), ("depth",), ("dataset", "depth", "width", "formulation", "norm")]:
        text = render(build_leaderboard(filled.runs(), by), Format.TABLE)
        assert max(cell_len(line) for line in text.splitlines()) <= 80
        assert "…" not in text
        assert all(word in text for word in ("highs", "✗ scip", "gurobi", "sgm10", "PAR10", "robust", "6.23", "100%"))
        assert "magnitude unstructured 0.9 ft" in text
        assert "below the line: settings with a wrong answer" in text
        assert "run liar, scip on p1--tight" in text
        assert "1 of 22 runs deviate within tolerance" in text


@pytest.fixture
def with_values(filled):
    """And a maximization: highs finds 2 on the dense network and 1.5 through a surrogate, both to the optimum."""
    kind = {"pruning": "magnitude", "structure": "unstructured", "rate": 0.9}
    dense = filled.instance("top", problem="top", threshold=None, family="maximize", dataset=None, norm="box")
    pruned = filled.instance("top-mag", problem="top", threshold=None, network="top-mag", dataset=None, **kind)
    for run, sha, value in (("d", dense, 2.0), ("s", pruned, 1.5)):
        filled.run(run, sha, goal="optimize", termination="optimal", wall_seconds=3.0)
        filled.judge(run, confirmed=1, evidence="exact", best_exact_value=value)
    return filled


def test_values_have_their_column_and_their_table_where_there_are_any(with_values):
    text = render(build_leaderboard(with_values.runs()), Format.TABLE)
    lines = text.splitlines()
    assert max(map(cell_len, lines)) <= 80
    cells = [line.split() for line in lines]
    head = ["setting", "runs", "solved", "cex", "robust", "value", "spent", "time", "mem", "err", "lic", "wrong"]
    assert head in cells and ["highs", "2", "2", "0", "0", "2", "0", "0", "0", "0", "0", "0"] in cells
    place = lines.index("Values: surrogate against dense")
    assert cells[place + 1] == ["surrogate", "pairs", "left", "dense", "surr.", "better", "worse"]
    assert ["magnitude", "unstructured", "0.9", "1", "0", "1", "1", "0%", "100%"] in cells[place:]
    (found,) = json.loads(render(build_leaderboard(with_values.runs()), Format.JSON))["surrogate_values"]
    assert (found["dense_values"], found["surrogate_better"], found["dense_better"]) == (1, 0.0, 1.0)
    assert "### Values: surrogate against dense" in render(build_leaderboard(with_values.runs()), Format.MARKDOWN)


def test_other_endings_have_their_column_where_there_are_any(filled):
    assert "other:" not in render(build_leaderboard(filled.runs()), Format.TABLE)
    filled.run("n", "sha-p2--tight", seed=1, termination="node_limit")
    filled.run("o", "sha-p2--tight", seed=2, termination=None, ended_by="output")
    text = render(build_leaderboard(filled.runs()), Format.TABLE)
    cells = [line.split() for line in text.splitlines()]
    head = ["setting", "runs", "solved", "cex", "robust", "spent", "time", "mem", "err", "lic", "other", "wrong"]
    assert head in cells and any(line[:1] == ["highs"] and line[-2:] == ["2", "0"] for line in cells)
    assert "other: ended by another limit" in " ".join(text.split())


def test_a_ledger_without_values_says_nothing_of_them(filled):
    assert "value" not in render(build_leaderboard(filled.runs()), Format.TABLE).lower()


def test_terminal_tables_fit_80_columns_with_long_labels_and_large_counts(filled):
    options = json.dumps({f"mip_heuristic_option_{i}": "aggressive" for i in range(5)})
    filled.run("long", "sha-p1--tight", solver="绿色求解器" * 4, settings=options, time_limit_seconds=123456.0)
    text = render(build_leaderboard(filled.runs()), Format.TABLE)
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert "option_0=aggre" in text
    assert "ssive 123456 s" in text


def test_transfer_is_that_of_candidates_and_stands_by_size(ledger):
    """1 + 0 of 4 + 4 candidates transfer on 2x16, 1 of 2 on 4x64; on 6x64 none were counted."""
    cases = (("a", 2, 16, 4, 1), ("b", 2, 16, 4, 0), ("c", 4, 64, 2, 1), ("d", 6, 64, None, None))
    for problem, depth, width, own, transferred in cases:
        ledger.run(f"d{problem}", ledger.instance(problem, problem=problem, depth=depth, width=width))
        kind = {"pruning": "magnitude", "structure": "unstructured", "rate": 0.9, "depth": depth, "width": width}
        pruned = ledger.instance(f"{problem}-mag", problem=problem, network="net-mag", **kind)
        ledger.run(f"s{problem}", pruned)
        ledger.judge(f"s{problem}", own_answers=own, transferred_answers=transferred)
    text = render(build_leaderboard(ledger.runs(), ["depth", "width"]), Format.TABLE)
    lines = text[text.index("Surrogates: transfer and preparation") :].splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert lines[1].split() == ["surrogate", "cand.", "transf", "timed", "faster", "slower", "ratio", "best"]
    assert [lines[3], lines[5]] == ["depth 2, width 16, highs tight", "depth 4, width 64, highs tight"]
    assert lines[4].split()[:5] == ["magnitude", "unstructured", "0.9", "8", "12%"]  # 1 of 8
    assert lines[6].split()[:5] == ["magnitude", "unstructured", "0.9", "2", "50%"]
    assert lines[8].split()[:5] == ["magnitude", "unstructured", "0.9", "–", "–"]
    assert "What transfers was not counted of 1 run of an earlier version" in text


def test_section_of_a_group_stands_above_its_rows(filled):
    lines = render(build_leaderboard(filled.runs(), ["depth", "formulation"]), Format.TABLE).splitlines()
    place = lines.index("depth 4, formulation surrogatelib")
    assert lines[place + 1].startswith("highs ")


def test_rates_of_one_setting_and_formulation_stand_under_one_heading(filled):
    kind = {"pruning": "magnitude", "structure": "unstructured", "rate": 0.3}
    sparse = filled.instance("p1-mag-u30", problem="p1", network="net-u30", **kind)
    for solver in ("highs", "scip"):
        filled.found(f"{sparse}{solver}", sparse, 0.1, solver=solver)
    text = render(build_leaderboard(filled.runs(), ["rate"]), Format.TABLE)
    lines = text[text.index("Surrogate against dense") :].splitlines()
    assert lines.count("highs tight") == lines.count("scip tight") == 2  # a table each
    place = lines.index("highs tight")
    assert lines[place + 1].startswith("magnitude unstructured 0.3 ")
    assert lines[place + 2].startswith("magnitude unstructured 0.9 ft ")


def test_dash_for_the_interval_is_explained_where_a_ranked_setting_has_one(ledger):
    explained = "–: over a single problem"
    ledger.run("r1", ledger.instance("a", depth=2))
    assert explained in " ".join(render(build_leaderboard(ledger.runs()), Format.TABLE).split())
    ledger.run("r2", ledger.instance("b", problem="q", depth=4))
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    assert explained not in " ".join(text.split())
    assert "virtual best" in text and "–" in text
    assert explained in " ".join(render(build_leaderboard(ledger.runs(), ["depth"]), Format.TABLE).split())


def test_common_note_says_what_was_left_out(filled):
    text = render(build_leaderboard(filled.runs()), Format.TABLE)
    note = "Times: over the 8 of 10 instance-seed pairs that every setting ran; left out: 2 not run by all; refused"
    assert note in " ".join(text.split())


def test_no_ansi_unless_a_terminal_even_when_colour_is_forced(filled, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    board = build_leaderboard(filled.runs())
    write_leaderboard(board, Format.TABLE, stream)
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue() == render(board, Format.TABLE)


def test_terminal_gets_colour(filled, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    write_leaderboard(build_leaderboard(filled.runs()), Format.TABLE, stream)
    assert "\x1b[" in stream.getvalue()
    stream = Terminal()
    write_leaderboard(build_leaderboard(filled.runs()), Format.JSON, stream)
    assert "\x1b" not in stream.getvalue()


def test_markup_and_control_characters_in_names_are_shown_as_text(hostile):
    text = render(build_leaderboard(hostile.runs(), ["dataset"]), Format.TABLE)
    assert "[red]x[/red]" in text
    assert ":smile:" in text
    assert "\\x1b[31m" in "".join(text.split())
    assert "\x1b" not in text and "\u202e" not in text


def test_markup_reaches_a_real_terminal_as_text(hostile, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    write_leaderboard(build_leaderboard(hostile.runs()), Format.TABLE, stream)
    assert "[red]x[/red]" in stream.getvalue()
    assert "\x1b[31m|" not in stream.getvalue()


def test_markdown_escapes_names_and_keeps_its_columns(hostile):
    text = render(build_leaderboard(hostile.runs(), ["dataset"]), Format.MARKDOWN)
    assert "<b>" not in text and "\x1b" not in text
    assert r"\[red\]" in text and "&lt;b&gt;" in text
    tables = [line.replace(r"\|", "") for line in text.splitlines() if line.startswith("|")]
    answers = tables[: tables.index(next(line for line in tables[1:] if line.startswith("| dataset")))]
    assert {line.count("|") for line in answers} == {13}  # dataset, setting and ten counts


def test_markdown_has_the_same_tables(filled):
    text = render(build_leaderboard(filled.runs()), Format.MARKDOWN)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "### Answers", "### Times", "### Surrogate against dense", "### Surrogates: transfer and preparation",
        "### Wrong answers",
    ]  # fmt: skip
    assert "| highs | tight | magnitude unstructured 0.9 ft | 2 | 1 | 2 | 2 | 100% | 0% | 100 |" in text


def test_json_has_stable_names_and_null_for_none(filled):
    board = build_leaderboard(filled.runs(), ["depth"])
    document = json.loads(render(board, Format.JSON))
    assert list(document) == JSON_NAMES
    first, gurobi = document["settings"][0], next(r for r in document["settings"] if r["solver"] == "gurobi")
    assert list(first) == [*LONG_NAMES[:8], "depth", *LONG_NAMES[8:]]
    assert (first["setting"], first["settings"], first["depth"]) == ("highs", {}, 4)
    assert gurobi["sgm1_seconds"] is None
    assert first["median_first_counterexample_seconds"] == pytest.approx((12.345 + 0.1234) / 2)
    assert document["faults"][0]["run"] == "liar"
    assert document["common"][0] == {
        "depth": 4, "triples": 10, "common": 8, "refused": 0, "not_run_by_all": 2, "not_compared": ["gurobi"],
    }  # fmt: skip
    assert list(document["surrogates"][0]) == [
        "setting", "depth", "formulation", "pruning", "structure", "rate", "finetuned", "pairs", "left_out",
        "dense_counterexamples", "surrogate_counterexamples", "surrogate_faster", "dense_faster", "time_ratio",
        "candidates", "transferred", "transfer_share", "uncounted", "prepared", "prepared_surrogate_faster",
        "prepared_dense_faster", "prepared_time_ratio", "best_rate",
    ]  # fmt: skip


def test_csv_is_the_settings_with_empty_fields_for_none(filled):
    text = render(build_leaderboard(filled.runs(), ["depth"]), Format.CSV)
    table = list(csv.DictReader(io.StringIO(text)))
    assert list(table[0]) == [*LONG_NAMES[:8], "depth", *LONG_NAMES[8:]]
    gurobi = next(row for row in table if row["solver"] == "gurobi")
    assert (gurobi["sgm1_seconds"], gurobi["license_limit"], gurobi["settings"]) == ("", "4", "{}")
    assert {row["solver"]: row["below_line"] for row in table} == {"highs": "0", "gurobi": "0", "scip": "1"}


@pytest.mark.parametrize("output", list(Format))
def test_empty_ledger_prints_in_every_format(ledger, output):
    text = render(build_leaderboard(ledger.runs()), output)
    expected = {
        Format.JSON: json.dumps({name: [] for name in JSON_NAMES} | {"conditions": NO_CONDITIONS}, indent=2),
        Format.CSV: ",".join(LONG_NAMES),
        Format.LATEX: "% No runs in this ledger.",
    }
    assert text == expected.get(output, "No runs in this ledger.") + "\n"


def test_many_faults_are_cut_in_the_terminal_and_whole_in_json(ledger):
    sha = ledger.instance("a")
    for seed in range(25):
        ledger.run(f"r{seed}", sha, seed=seed, termination="unbounded")
    board = build_leaderboard(ledger.runs())
    assert "and 5 more; all of them: --format json" in render(board, Format.TABLE)
    assert len(json.loads(render(board, Format.JSON))["faults"]) == 25


def test_runs_of_several_machines_are_said_to_be_ranked_apart(ledger):
    ledger.machine("m2")
    sha = ledger.instance("a")
    ledger.run("r1", sha)
    ledger.run("r2", sha, seed=1, machine="m2")
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    assert "The runs come from 2 machines: times and ranks are within each." in text
    assert "Submitted" not in text
    assert [line for line in text.splitlines() if line.startswith("machine ")] == ["machine m1", "machine m2"] * 2


def test_several_goals_are_ranked_apart_in_every_format(ledger):
    sha = ledger.instance("a")
    ledger.found("f", sha, 1.0, goal="find")
    ledger.run("d", sha)
    board = build_leaderboard(ledger.runs())
    text = render(board, Format.TABLE)
    assert [line for line in text.splitlines() if line.startswith("goal ")] == ["goal decide", "goal find"] * 2
    assert "| goal | setting |" in render(board, Format.MARKDOWN)
    rows = list(csv.DictReader(io.StringIO(render(board, Format.CSV))))
    assert list(rows[0]) == LONG_NAMES
    assert [(row["goal"], row["rank"]) for row in rows] == [("decide", "1"), ("find", "1")]
    document = json.loads(render(board, Format.JSON))
    for name in ("settings", "ranks", "common", "sensitivity"):
        assert [row["goal"] for row in document[name]] == ["decide", "find"]
    assert render(board, Format.LATEX).count("\\emph{goal ") == 2


def test_goal_is_said_once_where_a_label_says_it(ledger):
    given, pruned = ledger.instance("a"), ledger.instance("s", network="net-mag", pruning="magnitude")
    for goal in ("find", "decide"):
        ledger.found(f"d{goal}", given, 2.0, goal=goal)
        ledger.found(f"s{goal}", pruned, 1.0, goal=goal)
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    surrogates = text[text.index("Surrogate against dense") :].splitlines()
    assert {"highs decide tight", "highs find tight"} <= set(surrogates)


def test_long_labels_are_cut_in_the_terminal_alone(ledger):
    """Two settings differ in the middle of thousands of characters, one is wrong, one lacks runs."""
    given, other = ledger.instance("a"), ledger.instance("b", problem="q")
    labels = []
    for run, word in (("r0", "left"), ("r1", "right")):
        options = {"tuning": f"{'x' * 3000}{word}{'y' * 3000}"}
        labels.append(f"highs tuning={options['tuning']}")
        ledger.found(run, given, 1.0, settings=json.dumps(options))
    ledger.robust("wrong", given, 0.5, settings=json.dumps({"tuning": "z" * 5000}), seed=1)
    ledger.run("short", other, solver="scip")
    board = build_leaderboard(ledger.runs())
    text = render(board, Format.TABLE)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert len(text) < 8000
    folded = "".join(text.split())
    assert "xxleftyy" in folded
    assert "xxrightyy" in folded
    assert "runwrong,highstuning=zzz" in folded
    for output in (Format.CSV, Format.JSON, Format.MARKDOWN):
        assert all(label in render(board, output) for label in labels)


def test_legend_says_what_is_solved_and_that_only_what_is_in_time_counts(ledger):
    ledger.robust("late", ledger.instance("a"), 100.5)
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    head, row = (text.splitlines()[line].split() for line in (1, 3))
    assert [row[head.index(name)] for name in ("runs", "solved", "robust", "time")] == ["1", "0", "0", "1"]
    assert "Both within the time limit: what came later counts as time." in " ".join(text.split())
    assert "optimize" not in text
    ledger.run("o", "sha-a", goal="optimize")
    board = build_leaderboard(ledger.runs())
    for output in (Format.TABLE, Format.MARKDOWN, Format.LATEX):
        assert "olved: cex or robust; with goal optimize, proved optimal too." in " ".join(
            render(board, output).split()
        )


def test_limits_of_goals_that_are_ranked_apart_do_not_differ(ledger):
    ledger.run("d", ledger.instance("a"))
    ledger.run("f", "sha-a", goal="find", time_limit_seconds=5.0)
    assert "Time limits differ" not in notes(ledger)
    ledger.run("s", "sha-a", goal="find", solver="scip")
    assert "Time limits differ (5 to 100 s): an unsolved run counts as the longest of those compared." in notes(ledger)


def test_submitted_runs_are_said_to_be_of_others(ledger):
    ledger.machine("submitted-m2")
    ledger.run("r1", ledger.instance("a"))
    assert "Submitted" not in notes(ledger)
    ledger.run("r2", "sha-a", machine="submitted-m2")
    assert (
        "Submitted from 1 machine (`vnnbench merge`): times, terminations and bounds are as submitted; every candidate "
        "was judged here."
    ) in notes(ledger)


def notes(ledger):
    """The lines below the tables as one text."""
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    return " ".join(text[text.index("Times: over the") :].split())


def test_conditions_that_do_not_differ_are_not_mentioned(ledger):
    ledger.run("r1", ledger.instance("a"), cores="1", foreign_seconds=0.0, swapped_bytes=0)
    ledger.judge("r1", primal_steps="[]")
    assert notes(ledger).startswith("Times: over the 1 of 1 instance-seed pairs that every setting ran. Tolerance")


def test_permutations_are_said_where_there_are_any(ledger):
    sha = ledger.instance("a")
    ledger.run("r1", sha)
    ledger.run("r2", sha, permutation=1)
    assert "over the 2 of 2 instance-seed-permutation triples that every setting ran." in notes(ledger)


def test_limits_held_by_different_means_are_said(ledger):
    sha = ledger.instance("a")
    for seed, level in enumerate(["namespace", "process-group", "namespace"]):
        ledger.run(f"r{seed}", sha, seed=seed, enforcement=level)
    assert "The limits of these runs were held by different means: 2 namespace, 1 process-group." in notes(ledger)


def test_use_counted_by_different_means_is_said_and_older_runs_do_not_say(ledger):
    sha = ledger.instance("a")
    for seed, counted in enumerate(["cgroup-cpu", "sampling", "cgroup-cpu", None]):
        ledger.run(f"r{seed}", sha, seed=seed, counted=counted)
    assert "What these runs used was counted by different means: 2 cgroup-cpu, 1 sampling." in notes(ledger)


def test_disturbed_runs_are_counted_and_unrecorded_ones_are_not(ledger):
    sha = ledger.instance("a")
    ledger.run("r0", sha, cores="0,1", foreign_seconds=90.0, swapped_bytes=0)
    ledger.run("r1", sha, seed=1, cores="0,1", foreign_seconds=0.01, swapped_bytes=0)
    ledger.run("r2", sha, seed=2)
    assert (
        "1 of 3 runs were disturbed (1 had others working on their cores): make them again with `vnnbench run "
        "LIBRARY --results RESULTS --retry disturbed`."
    ) in notes(ledger)


def test_disturbed_runs_of_the_reference_count(ledger):
    """As `run` counts them, and as `run --retry disturbed` makes them again."""
    sha = ledger.instance("a")
    ledger.run("r0", sha, cores="0,1", foreign_seconds=0.01, swapped_bytes=0)
    ledger.run("p0", sha, solver="pgd", cores="", swapped_bytes=0)
    assert "1 of 2 runs, those of the reference included, were disturbed (1 had no cores of their own)" in notes(ledger)
    alone = build_leaderboard(ledger.runs().query("solver == 'pgd'"))
    assert "1 of 1 runs, those of the reference included, were disturbed" in render(alone, Format.TABLE)


def test_disturbed_runs_are_told_once_each_by_their_reason(ledger):
    sha = ledger.instance("a")
    reasons = [("", 0.0, 4096), ("", 0.0, 0), ("", 0.0, None), ("0", 90.0, 4096), ("0", 0.0, 1), ("0", 90.0, 0)]
    for seed, (cores, foreign, swapped) in enumerate([*reasons, ("0", 0.0, 0), (None, None, None)]):
        ledger.run(f"r{seed}", sha, seed=seed, cores=cores, foreign_seconds=foreign, swapped_bytes=swapped)
    for seed, swapped in ((8, 0), (9, 1)):
        kept = {"cores": "0", "foreign_seconds": 90.0, "swapped_bytes": swapped, "stalled_seconds": 2.0}
        ledger.run(f"r{seed}", sha, seed=seed, **kept)
    assert (
        "8 of 10 runs were disturbed (3 had no cores of their own, 3 ran while the machine swapped, 1 ran while the "
        "harness stood still, 1 had others working on their cores): "
    ) in notes(ledger)
    conditions = json.loads(render(build_leaderboard(ledger.runs()), Format.JSON))["conditions"]
    names = ("disturbed", "without_cores", "while_swapping", "while_stalled", "by_others")
    assert [conditions[name] for name in names] == [8, 3, 3, 1, 1]


def test_settings_that_lack_runs_are_named_with_how_many(ledger):
    for number in range(6):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        for place, solver in enumerate(("highs", "scip", "cbc", "glpk", "gurobi")):
            if number >= place:
                ledger.run(f"{solver}{number}", sha, solver=solver)
    assert (
        "Of the instance-seed pairs that others ran, gurobi lacks 4, glpk lacks 3, cbc lacks 2, 1 more lack some: "
        "their plans differ, or a `vnnbench run` was stopped; given again, it goes on."
    ) in notes(ledger)
    conditions = json.loads(render(build_leaderboard(ledger.runs(), ["problem"]), Format.JSON))["conditions"]
    assert conditions["lacking"] == {"gurobi": 4, "glpk": 3, "cbc": 2, "scip": 1}


def test_nobody_lacks_what_only_another_machine_ran(ledger):
    ledger.machine("m2")
    ledger.run("r1", ledger.instance("a"))
    ledger.run("r2", ledger.instance("b"), machine="m2")
    assert "lack" not in notes(ledger)
    ledger.run("r3", "sha-b", solver="scip", machine="m2")
    assert "lack" not in notes(ledger)
    ledger.run("r4", "sha-a", solver="scip", machine="m2")
    assert "Of the instance-seed pairs that others ran, highs lacks 1: their plans differ" in notes(ledger)


def test_later_attempts_are_said(ledger):
    sha = ledger.instance("a")
    ledger.run("r", sha)
    ledger.run("r-2", sha, attempt=2)
    ledger.run("s", sha, seed=1)
    assert "1 of 2 runs have several attempts: the newest counts, or one that was wrong." in notes(ledger)


def test_primal_integral_stands_among_the_times(ledger):
    ledger.run("r", ledger.instance("a", centre_value=-1.0))
    ledger.judge("r", best_exact_value=-1.0, primal_steps="[[12.5, -1.0]]")
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    times = text[text.index("\nTimes\n") :].splitlines()
    assert times[2].split()[-2:] == ["first", "primal"]
    assert times[4].split()[-2:] == ["–", "12.5"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0.0, "0"), (0.1234, "0.123"), (12.34, "12.3"), (123.4, "123"), (1234.5, "1234"),
        (9.996, "10.0"), (99.96, "100"), (0.001234, "0.00123"), (3.0, "3.00"), (1e6, "1000000"),
    ],
)  # fmt: skip
def test_numbers_have_three_significant_digits(value, text):
    assert format_number(value) == text


def test_plain_keeps_letters_of_every_language():
    assert plain("Grün 绿 x\ny\x00") == "Grün 绿 x\\ny\\x00"


def test_certified_answers_have_their_column_where_there_are_any(ledger):
    ledger.robust("r0", ledger.instance("a"), 1.0)
    ledger.robust("r1", ledger.instance("b", problem="q"), 1.0)
    runs = ledger.runs()
    assert "cert" not in render(build_leaderboard(runs), Format.TABLE)
    runs["evidence"] = runs["evidence"].where(runs["run"] != "r1", "certificate")
    board = build_leaderboard(runs)
    assert (board.settings[0].robust_certified, board.settings[0].robust_claimed) == (1, 1)
    cells = [line.split() for line in render(board, Format.TABLE).splitlines()]
    assert [
        "setting",
        "runs",
        "solved",
        "cex",
        "robust",
        "cert",
        "spent",
        "time",
        "mem",
        "err",
        "lic",
        "wrong",
    ] in cells
    assert ["highs", "2", "2", "0", "2", "1", "0", "0", "0", "0", "0", "0"] in cells
    assert "certified by a proof + claimed" in render(board, Format.LATEX)


def test_virtual_best_stands_between_ranked_settings_and_the_line(filled):
    filled.found("third", "sha-p1--tight", 1.0, solver="cbc")
    lines = render(build_leaderboard(filled.runs()), Format.TABLE).splitlines()
    times = lines[lines.index("Times") :]
    place = next(i for i, line in enumerate(times) if line.startswith("virtual best"))
    assert times[place + 1].startswith("┄┄ below the line")
    assert not any("✗" in line for line in times[:place])
    assert any(line.startswith("✗ scip") for line in times[place:])


@pytest.fixture
def flipping(ledger):
    """highs solves ten of eleven in 20 s each; scip solves nine in 0.1 s: by sgm10 scip is first, by PAR10 highs."""
    for number in range(11):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        (ledger.found if number < 10 else ledger.run)(f"h{number}", sha, **({"seconds": 20.0} if number < 10 else {}))
        if number < 9:
            ledger.found(f"s{number}", sha, 0.1, solver="scip")
        else:
            ledger.run(f"s{number}", sha, solver="scip")
    return ledger


def test_ranks_that_flip_are_marked(flipping):
    text = render(build_leaderboard(flipping.runs()), Format.TABLE)
    cells = [line.split() for line in text[text.index("Ranks by other measures") :].splitlines()]
    assert ["scip", "1", "1", "1", "2!", "2!", "2!", "1", "1", "1"] in cells
    assert ["highs", "2", "2", "2", "1!", "1!", "1!", "2", "2", "2"] in cells
    document = json.loads(render(build_leaderboard(flipping.runs(), ["depth"]), Format.JSON))
    assert [(row["setting"], row["rank"], row["flips"]) for row in document["ranks"]] == [
        ("scip", 1, ["par2", "par10", "solved"]), ("highs", 2, ["par2", "par10", "solved"]),
    ]  # fmt: skip
    (pair,) = document["pairs"]
    assert (pair["faster"], pair["slower"], pair["problems"], pair["depth"]) == ("scip", "highs", 11, None)
    assert document["virtual_best"][0]["common_solved"] == 10


def test_pairs_that_cannot_be_told_apart_are_named(flipping):
    assert "1 of 1 pair of settings differ (Wilcoxon signed-rank, Holm, 5 %)." in notes(flipping)
    for number in range(11):
        flipping.found(f"c{number}", f"sha-i{number}", 20.0 + number % 2, solver="cbc")
        flipping.found(f"g{number}", f"sha-i{number}", 50.0 + number, solver="glpk")
    assert (
        "3 of 6 pairs of settings differ (Wilcoxon signed-rank, Holm, 5 %); these do not: scip and cbc; scip and "
        "highs; cbc and highs."
    ) in notes(flipping)


def test_ranks_that_hold_by_every_measure_are_one_line(ledger):
    sha = ledger.instance("a")
    for solver, seconds in (("highs", 1.0), ("scip", 2.0)):
        ledger.found(solver, sha, seconds, solver=solver)
        ledger.judge(solver, confirmed=1, evidence="exact", best_exact_value=0.5, first_success_seconds=seconds,
                     primal_steps="[]", as_given_violation=0.0, repaired_violation=0.0)  # fmt: skip
    text = " ".join(render(build_leaderboard(ledger.runs()), Format.TABLE).split())
    assert "Ranks by other measures" not in text
    assert "The ranks are the same by shifts of 1 and 100 s, PAR2, PAR10" in text


def test_a_terminal_is_redrawn_until_ctrl_c(filled, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")

    def boards():
        yield build_leaderboard(filled.runs())
        yield build_leaderboard(filled.runs(), ["depth"])
        raise KeyboardInterrupt

    stream = Terminal()
    last = watch_leaderboard(boards(), stream)
    assert last.by == ("depth",)
    text = stream.getvalue()
    assert text.count("Answers") == 2
    assert text.index("\x1b[?1049h") < text.index("Answers") < text.index("\x1b[?1049l")  # a screen of its own
