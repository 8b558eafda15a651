"""The printed output fits 80 columns, stays plain text whatever the ledger holds, and reads back."""

from __future__ import annotations

import csv
import io
import json

import pytest
from rich.cells import cell_len

from vnnbench.common.text import plain
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.tables.render import Format, render, watch_leaderboard, write_leaderboard
from vnnbench.leaderboard.text import format_number, format_percent

LONG_NAMES = (  # noqa: SIM905
    "setting solver solver_version settings threads time_limit_seconds memory_limit_bytes goal runs solved spent "
    "counterexamples robust_certified robust_claimed values timeouts memory errors license_limit other wrong tolerance "
    "below_line rank rank_low rank_high common_runs common_solved sgm1_seconds sgm10_seconds sgm100_seconds sgm1_ratio "
    "sgm10_ratio sgm100_ratio par2_seconds par10_seconds median_first_counterexample_seconds primal_integral_seconds "
    "primal_integral_runs dual_integral_seconds dual_integral_runs gap nodes nodes_runs alone contribution "
    "value_runs best_values best_gap bound_gap"
).split()

JSON_NAMES = [
    "settings", "virtual_best", "ranks", "pairs", "surrogates", "surrogate_values", "approaches", "faults", "common",
    "sensitivity", "conditions", "planted", "proven", "reference",
]  # fmt: skip

NO_CONDITIONS = {
    "runs": 0, "cpus": [], "machines": 0, "submitted": 0, "permutations": 0, "goals": [], "time_limits": [],
    "enforcement": {}, "counted": {}, "disturbed": 0, "disturbed_elsewhere": 0, "without_cores": 0,
    "while_swapping": 0, "while_stalled": 0, "by_others": 0, "impossible": [], "retried": 0, "tolerance": 0,
    "lacking": {},
}  # fmt: skip

HOSTILE = "[red]x[/red] \x1b[31m| <b> `code` :smile: \u202egnp"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def hostile(ledger):
    sha = ledger.instance(HOSTILE, problem=HOSTILE, dataset=HOSTILE)
    ledger.run("r", sha, solver=HOSTILE, settings=json.dumps({HOSTILE: HOSTILE}), termination="unbounded")
    ledger.run("r2", sha, solver="other")
    return ledger


def test_terminal_tables_fit_80_columns_and_say_everything(three_solvers):
    for by in [(), ("depth",), ("dataset", "depth", "width", "formulation", "norm")]:
        text = render(build_leaderboard(three_solvers.runs(), by), Format.TABLE)
        assert max(cell_len(line) for line in text.splitlines()) <= 80
        assert "…" not in text
        assert all(word in text for word in ("highs", "✗ scip", "gurobi", "sgm10", "PAR10", "robust", "12.3", "100%"))
        assert "magnitude unstructured ft 0.9" in text
        assert "below the line: settings with a wrong answer" in text
        assert "run liar, scip on p1--tight" in text
        assert "1 of 22 runs deviates within tolerance" in text


def test_terminal_tables_fit_80_columns_with_long_labels_and_large_counts(three_solvers):
    options = json.dumps({f"mip_heuristic_option_{i}": "aggressive" for i in range(5)})
    three_solvers.run("long", "sha-p1--tight", solver="绿色求解器" * 4, settings=options, time_limit_seconds=123456.0)
    text = render(build_leaderboard(three_solvers.runs()), Format.TABLE)
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert "option_0=aggre" in text
    assert "ssive 123456 s" in text


def test_no_ansi_unless_a_terminal_even_when_colour_is_forced(three_solvers, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    board = build_leaderboard(three_solvers.runs())
    write_leaderboard(board, Format.TABLE, stream)
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue() == render(board, Format.TABLE)


def test_terminal_gets_colour(three_solvers, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    write_leaderboard(build_leaderboard(three_solvers.runs()), Format.TABLE, stream)
    assert "\x1b[" in stream.getvalue()
    stream = Terminal()
    write_leaderboard(build_leaderboard(three_solvers.runs()), Format.JSON, stream)
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
    assert {line.count("|") for line in answers} == {11}  # dataset, setting and eight numbers


def test_markdown_has_the_same_tables(three_solvers):
    text = render(build_leaderboard(three_solvers.runs()), Format.MARKDOWN)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "### Solvers on files", "### Approaches on problems", "### Answers", "### Surrogate against dense",
        "### Surrogates: transfer and preparation", "### Wrong answers",
    ]  # fmt: skip
    assert "| highs | tight | magnitude unstructured 0.9 ft | 2 | 1 | 2 | 2 | 100% | 0% | 100 |" in text


def test_json_has_stable_names_and_null_for_missing_values(three_solvers):
    board = build_leaderboard(three_solvers.runs(), ["depth"])
    document = json.loads(render(board, Format.JSON))
    assert list(document) == JSON_NAMES
    first, gurobi = document["settings"][0], next(r for r in document["settings"] if r["solver"] == "gurobi")
    assert list(first) == [*LONG_NAMES[:8], "role", "formulation", "depth", *LONG_NAMES[8:]]
    assert (first["setting"], first["settings"], first["depth"]) == ("highs", {}, 4)
    assert gurobi["sgm1_seconds"] is None
    assert first["median_first_counterexample_seconds"] == pytest.approx(12.345)
    assert document["faults"][0]["run"] == "liar"
    assert document["common"][0] == {
        "role": "dense", "formulation": "surrogatelib", "depth": 4,
        "triples": 2, "common": 2, "refused": 0, "not_run_by_all": 0, "not_compared": ["gurobi"],
        "unused": [],
    }  # fmt: skip
    assert list(document["surrogates"][0]) == [
        "setting", "depth", "formulation", "pruning", "structure", "rate", "finetuned", "pairs", "left_out",
        "dense_counterexamples", "surrogate_counterexamples", "surrogate_faster", "dense_faster", "time_ratio",
        "candidates", "transferred", "transfer_share", "uncounted", "prepared", "prepared_surrogate_faster",
        "prepared_dense_faster", "prepared_time_ratio", "best_rate",
    ]  # fmt: skip


def test_csv_is_the_settings_with_empty_fields_for_missing_values(three_solvers):
    text = render(build_leaderboard(three_solvers.runs(), ["depth"]), Format.CSV)
    table = list(csv.DictReader(io.StringIO(text)))
    assert list(table[0]) == [*LONG_NAMES[:8], "role", "formulation", "depth", *LONG_NAMES[8:]]
    gurobi = next(row for row in table if row["solver"] == "gurobi")
    assert (gurobi["sgm1_seconds"], gurobi["license_limit"], gurobi["settings"]) == ("", "2", "{}")
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
    assert "and 22 more; see `--format markdown`" in render(board, Format.TABLE)
    assert len(json.loads(render(board, Format.JSON))["faults"]) == 25
    assert render(board, Format.MARKDOWN).count("| highs | a | ") == 25


def test_several_goals_are_ranked_apart_in_every_format(ledger):
    sha = ledger.instance("a")
    ledger.found("f", sha, 1.0, goal="find")
    ledger.run("d", sha)
    board = build_leaderboard(ledger.runs())
    text = render(board, Format.TABLE)
    assert [line for line in text.splitlines() if line.startswith("goal ")] == ["goal decide", "goal find"]
    assert "| goal | setting |" in render(board, Format.MARKDOWN)
    rows = list(csv.DictReader(io.StringIO(render(board, Format.CSV))))
    assert list(rows[0]) == LONG_NAMES
    assert [(row["goal"], row["rank"]) for row in rows] == [("decide", "1"), ("find", "1")]
    document = json.loads(render(board, Format.JSON))
    for name in ("settings", "ranks", "common", "sensitivity"):
        assert [row["goal"] for row in document[name]] == ["decide", "find"]
    assert render(board, Format.LATEX).count("\\emph{goal ") == 2


def test_long_labels_are_cut_in_the_terminal_alone(ledger):
    """Two settings differ in the middle of thousands of characters; one is wrong, one lacks runs."""
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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0.0, "0"), (0.1234, "0.123"), (12.34, "12.3"), (123.4, "123"), (1234.5, "1234"),
        (9.996, "10.0"), (99.96, "100"), (0.001234, "0.00123"), (3.0, "3.00"), (1e6, "1000000"),
    ],
)  # fmt: skip
def test_numbers_have_three_significant_digits(value, text):
    assert format_number(value) == text


def test_a_share_that_rounds_to_zero_has_no_minus_sign():
    assert [format_percent(share, 2) for share in (-1e-9, -0.0, -0.0833, None)] == ["0.00%", "0.00%", "-8.33%", "–"]


def test_plain_keeps_letters_of_every_language():
    assert plain("Grün 绿 x\ny\x00") == "Grün 绿 x\\ny\\x00"


def test_a_terminal_is_redrawn_until_ctrl_c(three_solvers, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")

    def boards():
        yield build_leaderboard(three_solvers.runs())
        yield build_leaderboard(three_solvers.runs(), ["depth"])
        raise KeyboardInterrupt

    stream = Terminal()
    last = watch_leaderboard(boards(), stream)
    assert last.by == ("role", "formulation", "depth")
    text = stream.getvalue()
    assert text.count("22 runs: 1 wrong") == 2
    assert text.index("\x1b[?1049h") < text.index("22 runs") < text.index("\x1b[?1049l")  # a screen of its own


def test_exports_have_the_limit_of_the_setting_beside_that_of_the_instances(ledger):
    for name, own in (("a", 30.0), ("b", 60.0)):
        ledger.robust(name, ledger.instance(name, problem=name, time_limit_seconds=own), 5.0, time_limit_seconds=own)
    board = build_leaderboard(ledger.runs(), ("time_limit_seconds",))
    table = list(csv.DictReader(io.StringIO(render(board, Format.CSV))))
    assert [row["default_time_limit_seconds"] for row in table] == ["30.0", "60.0"]
    assert [row["time_limit_seconds"] for row in table] == ["", ""]
    found = json.loads(render(board, Format.JSON))["settings"]
    assert [(row["default_time_limit_seconds"], row["time_limit_seconds"]) for row in found] == [(30, None), (60, None)]
