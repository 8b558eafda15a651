"""A column of the leaderboard is one entry of the registry, which puts it into every output."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import fields

import pytest

from support.tiny_sites import source_of
from vnnbench.leaderboard.ranking import columns
from vnnbench.leaderboard.ranking.approaches import ApproachRow
from vnnbench.leaderboard.ranking.column_form import Column, Rows, Shown, Table
from vnnbench.leaderboard.ranking.leaderboard import SettingRow, build_leaderboard
from vnnbench.leaderboard.ranking.reference import ReferenceRow
from vnnbench.leaderboard.ranking.surrogate_pairs import KIND_COLUMNS
from vnnbench.leaderboard.ranking.surrogate_sizes import SizeRow
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.surrogate_values import SurrogateValueRow
from vnnbench.leaderboard.site.pages import site_files
from vnnbench.leaderboard.tables.render import Format, render

ROWS = {
    Rows.SETTINGS: SettingRow,
    Rows.REFERENCE: ReferenceRow,
    Rows.SURROGATES: SurrogateRow,
    Rows.SURROGATE_VALUES: SurrogateValueRow,
    Rows.APPROACHES: ApproachRow,
}
PAPER = {Table.LATEX}
SITE = {table for table in Table if table.name.startswith("SITE_")}
ATTACK = "pgd"
SHEETS = set(Table) - PAPER - SITE
RANKING = "rankings/decide-dense-tight.html"
PAGES = {"index.html", "suites/first.html", RANKING}
SCREEN = {Table.TIMES, Table.APPROACHES, Table.VALUES, Table.ANSWERS, Table.SURROGATE_VALUES}
"""The tables of a terminal, where the ranking of approaches sums up others."""


@pytest.fixture
def full(ledger):
    """A ledger with something in every table: two settings whose order changes with the measure, the attack, surrogates
    of two architectures, and a problem without a threshold."""
    kind = {"pruning": "magnitude", "structure": "unstructured", "rate": 0.5, "suite": "first", "input_side": 8}
    for problem, depth, seconds in (("a", 2, (1.0, 30.0)), ("b", 4, (None, 40.0)), ("c", 2, (0.1, 45.0))):
        size = {"problem": problem, "depth": depth, "width": 16, "suite": "first", "input_side": 8}
        shas = ledger.instance(problem, **size), ledger.instance(f"{problem}-s", **size | kind, network=f"{problem}-s")
        for solver, own in zip(("highs", "scip"), seconds, strict=True):
            for side, sha in enumerate(shas):
                if own is None:
                    ledger.run(f"{problem}{solver}{side}", sha, solver=solver)
                else:
                    ledger.found(f"{problem}{solver}{side}", sha, own + side, solver=solver)
        ledger.found(f"{problem}{ATTACK}", shas[0], 1.0, solver=ATTACK)
    top = {"problem": "top", "threshold": None, "suite": "first"}
    for name, solvers in (("top", ("highs", "scip")), ("top-s", ("highs",))):
        sha = ledger.instance(name, **top | ({} if name == "top" else kind), network=name, dense_network="top")
        for solver in solvers:
            ledger.run(f"{name}-{solver}", sha, solver=solver, termination="optimal", wall_seconds=3.0)
            ledger.judge(f"{name}-{solver}", confirmed=1, evidence="exact", best_exact_value=2.0)
    return ledger


@pytest.fixture
def pages(full):
    """Return the texts of the site's pages, by path."""
    return lambda: {str(path): data.decode() for path, data in site_files(source_of(full)) if path.endswith(".html")}


def rows_of(table):
    """Return the kind of rows that a table has."""
    (found,) = (rows for rows, own in columns.COLUMNS.items() if any(table in column.shown for column in own))
    return found


def add(monkeypatch, rows, column):
    monkeypatch.setitem(columns.COLUMNS, rows, (*columns.COLUMNS[rows], column))


def test_a_column_added_to_the_registry_is_in_every_output(full, pages, monkeypatch):
    tables = (Table.ANSWERS, Table.TIMES, Table.LATEX, Table.SITE_RANKING, Table.SITE_MORE, Table.SITE_CONTRIBUTIONS)
    new = Column(
        "twice_the_runs", "2r", "twice as many as there are runs, 100 %", dict.fromkeys(tables, Shown()), unit="s",
        value=lambda row: 2 * row.runs + 7000,
    )  # fmt: skip
    add(monkeypatch, Rows.SETTINGS, new)
    board = build_leaderboard(full.runs())
    wanted = sorted((row.setting.label, str(2 * row.runs + 7000)) for row in board.settings)
    assert len(wanted) == 4  # two settings on dense and on surrogate files

    runs = Counter({label: 0 for label, _ in wanted})
    for row in board.settings:
        runs[row.setting.label] += row.runs
    totals = [(label, str(2 * number + 7000)) for label, number in runs.items()]
    for output, shown in ((Format.TABLE, wanted + totals), (Format.MARKDOWN, 2 * wanted)):
        text = render(board, output, width=120)
        said = " ".join(text.split())
        assert said.count("2r: twice as many as there are runs, 100 %.") == 2  # Answers and Solvers on files
        lines = [line.replace("|", " ").split() for line in text.splitlines()]
        assert sum("setting" in line[:2] and line[-1] == "2r" for line in lines) == 2
        for label, value in shown:
            assert sum(label in line[:2] and line[-1] == value for line in lines) == shown.count((label, value))
    latex = render(board, Format.LATEX)
    assert "PAR10 & 2r \\\\" in latex
    assert "2r: twice as many as there are runs, 100 \\%." in latex
    assert all(f"& {value} \\\\" in latex for _, value in wanted)
    table = list(csv.DictReader(io.StringIO(render(board, Format.CSV))))
    assert sorted((row["setting"], row["twice_the_runs"]) for row in table) == wanted
    records = json.loads(render(board, Format.JSON))["settings"]
    assert sorted((row["setting"], str(row["twice_the_runs"])) for row in records) == wanted
    site = pages()
    places = [path for path in site if path.startswith("settings/")]
    for path in (*PAGES, *(path for path in places if ATTACK not in path)):
        assert '<th scope="col" title="twice as many as there are runs, 100 %">2r</th>' in site[path], path
    assert all(f"<td>{value}</td>" in site["index.html"] for _, value in wanted)
    assert "sgm10, sgm1, PAR10, first, primal and 2r are seconds." in site[RANKING]


@pytest.mark.parametrize("table", Table)
def test_every_table_shows_the_columns_that_name_it(table, full, pages, monkeypatch):
    add(
        monkeypatch,
        rows_of(table),
        Column("new", "new-head", "made up", {table: Shown()}, cell=lambda row: "new-cell", exported=False),
    )
    board = build_leaderboard(full.runs())
    printed = {
        "terminal": render(board, Format.TABLE, width=200),
        "markdown": render(board, Format.MARKDOWN),
        "latex": render(board, Format.LATEX),
    }
    found = {place for place, text in (printed | pages()).items() if "new-head" in text and "new-cell" in text}
    text_tables = {"markdown", *(["terminal"] if table in SCREEN else [])} if table in SHEETS else set()
    text_tables |= {"latex"} if table in PAPER else set()
    assert found & set(printed) == text_tables
    assert bool(found & PAGES) == (
        table in SITE | {Table.VALUES, Table.RANKS, Table.REFERENCE, Table.PREPARATION, Table.APPROACHES}
    )


@pytest.mark.parametrize("rows", ROWS)
def test_csv_and_json_have_every_number_of_a_row(rows):
    apart = {"group", "setting", *KIND_COLUMNS}
    assert set(columns.keys_of(rows)) == {field.name for field in fields(ROWS[rows])} - apart


def test_a_row_by_size_has_what_its_columns_show():
    size = SizeRow(8, 2, 16, 0.5, 4, 0.5, 0.25, 2.0, 3, 1, 1 / 3, 0)
    shown = {column.head: column.cell(size) for column in columns.columns_of(Table.SITE_SIZES)}
    assert shown == {"pairs": "4", "faster": "50%", "slower": "25%", "speed-up": "2.00", "cand.": "3", "transf": "33%"}


def test_every_column_has_one_entry_and_a_meaning():
    for own in columns.COLUMNS.values():
        keys = [column.key for column in own]
        assert len(keys) == len(set(keys))
        assert all(column.meaning and not column.meaning.endswith(".") for column in own)
    assert all(column.head for table in Table for column in columns.columns_of(table))


def test_the_order_of_a_table_names_its_own_columns():
    for table, keys in columns._ORDER.items():
        assert set(keys) <= {column.column.key for column in columns.columns_of(table)}
        assert len(keys) == len(set(keys))
