"""The leaderboard as text: terminal tables (rich), markdown, csv, json. The only place that imports rich, for tables.

table, markdown   answers, times, ranks, tolerance, dense against surrogate, wrong answers; rounded, with a legend; the
                  table cuts labels of settings that would flood a terminal
csv               one row per setting and group, every column of `ranking.columns`, unrounded; empty field = none,
                  flags 0|1
json              {"settings": [..], "virtual_best": [..], "ranks": [..], "pairs": [..], "surrogates": [..],
                  "surrogate_values": [..], "faults": [..], "common": [..], "sensitivity": [..], "conditions": {..},
                  "planted": [..], "reference": [..]}, unrounded; null = none
latex             a table for a paper (`latex`)

Names out of a ledger are anyone's: they are printed as plain text, whatever markup or control characters they hold.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from enum import StrEnum
from itertools import groupby
from typing import Any, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vnnbench.common.text import plain
from vnnbench.leaderboard.exports import csv_text, json_text
from vnnbench.leaderboard.ranking.column_form import Rows
from vnnbench.leaderboard.ranking.columns import keys_of, record_of
from vnnbench.leaderboard.ranking.leaderboard import FaultRow, Leaderboard, SettingRow
from vnnbench.leaderboard.ranking.surrogate_pairs import KIND_COLUMNS
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.surrogate_values import SurrogateValueRow
from vnnbench.leaderboard.records.settings import SETTING_COLUMNS, options_of
from vnnbench.leaderboard.tables.build import Row, Sheet, sheets_of
from vnnbench.leaderboard.tables.latex import latex_table
from vnnbench.leaderboard.tables.notes import notes_on, setup_note
from vnnbench.leaderboard.tables.short_labels import with_short_labels
from vnnbench.leaderboard.text import markdown_row, markdown_table, markdown_text

FAULTS_SHOWN = 20
_GAP = 2  # blanks between two columns
_LINE = "┄┄ below the line: settings with a wrong answer ┄┄"
PLAIN_WIDTH = 80


class Format(StrEnum):
    """How to print a leaderboard."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"
    LATEX = "latex"


def write_leaderboard(leaderboard: Leaderboard, output: Format, stream: TextIO) -> None:
    """Print to a stream: as wide as the terminal and in colour if it is one, else 80 columns without any ANSI."""
    if output is Format.TABLE and stream.isatty():
        console = Console(file=stream)
        console.print(_terminal(leaderboard, console.width))
    else:
        stream.write(render(leaderboard, output))


def watch_leaderboard(boards: Iterable[Leaderboard], stream: TextIO) -> Leaderboard | None:
    """Show each leaderboard in place of the one before, on a terminal, until there are no more or Ctrl-C; what does not
    fit is cut off below. Returns the last one."""
    console = Console(file=stream)
    last = None
    with Live(console=console, screen=True, auto_refresh=False) as live, suppress(KeyboardInterrupt):
        for last in boards:
            live.update(_terminal(last, console.width), refresh=True)
    return last


def render(leaderboard: Leaderboard, output: Format, width: int = PLAIN_WIDTH) -> str:
    """The leaderboard as plain text, without ANSI; `width` is that of the format `table`."""
    if output is Format.JSON:
        return _json(leaderboard)
    if output is Format.CSV:
        return _csv(leaderboard)
    if output is Format.MARKDOWN:
        return _markdown(leaderboard)
    if output is Format.LATEX:
        return latex_table(leaderboard)
    text = io.StringIO()
    Console(file=text, width=width, force_terminal=False, no_color=True).print(_terminal(leaderboard, width))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


# -- terminal --------------------------------------------------------------------------------------------------------


def _terminal(leaderboard: Leaderboard, width: int) -> Group:
    if not leaderboard.settings and not leaderboard.reference:
        return Group(Text("No runs in this ledger."))
    leaderboard = with_short_labels(leaderboard)
    parts: list[RenderableType] = []
    for sheet in sheets_of(leaderboard):
        parts += [
            Text(""),
            Text(sheet.title, style="bold"),
            *_terminal_sheet(sheet, width),
            Text(sheet.legend, style="dim"),
        ]
    parts += [Text(""), *(Text(note) for note in (setup_note(leaderboard), *notes_on(leaderboard)))]
    if leaderboard.faults:
        parts += [Text(""), *_terminal_faults(leaderboard.faults)]
    return Group(*parts[1:])


def _terminal_sheet(sheet: Sheet, width: int) -> list[RenderableType]:
    """Header, then one aligned table per section: a rich table has no row that spans its columns."""
    widths = [
        max(map(cell_len, column)) for column in zip(sheet.columns, *(row.cells for row in sheet.rows), strict=True)
    ]
    longest = max(cell_len(name) for name in (sheet.name, *(row.name for row in sheet.rows)))
    name_width = max(min(longest, width - sum(widths) - _GAP * len(widths)), 10)

    def table(rows: Iterable[Row], header: bool = False) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, show_header=header)
        table.add_column(Text(sheet.name), overflow="fold", width=name_width)
        for column, column_width in zip(sheet.columns, widths, strict=True):
            table.add_column(Text(column), justify="right", no_wrap=True, width=column_width)
        for row in rows:
            name = Text(row.name, style="red" if row.below_line else "")
            table.add_row(name, *(Text(cell) for cell in row.cells))
        return table

    parts: list[RenderableType] = [table([], header=True)]
    for section, in_section in groupby(sheet.rows, key=lambda row: row.section):
        parts += [Text(section, style="bold", overflow="fold")] if section else []
        for below_line, rows in groupby(in_section, key=lambda row: row.below_line):
            parts += [Text(_LINE, style="red")] if below_line else []
            parts.append(table(rows))
    return parts


def _terminal_faults(faults: tuple[FaultRow, ...]) -> list[RenderableType]:
    parts: list[RenderableType] = [Text("Wrong answers", style="bold red")]
    for fault in faults[:FAULTS_SHOWN]:
        head = f"run {plain(fault.run)}, {plain(fault.setting)} on {plain(fault.instance)}"
        reason = Text(f"{fault.fault}: {plain(fault.fault_reason)}", overflow="fold")
        parts += [Text(head, overflow="fold"), Padding(reason, (0, 0, 0, 2))]
    if len(faults) > FAULTS_SHOWN:
        parts.append(Text(f"and {len(faults) - FAULTS_SHOWN} more; all of them: --format json"))
    return parts


# -- files -----------------------------------------------------------------------------------------------------------


def _markdown(leaderboard: Leaderboard) -> str:
    if not leaderboard.settings and not leaderboard.reference:
        return "No runs in this ledger.\n"
    lines: list[str] = []
    for sheet in sheets_of(leaderboard):
        names = [*sheet.group_names, sheet.name]
        rows = [[*row.groups, row.name, *row.cells] for row in sheet.rows]
        lines += [f"### {sheet.title}", "", *markdown_table(names, sheet.columns, rows), "", sheet.legend, ""]
    lines += [f"{markdown_text(note)}\n" for note in (setup_note(leaderboard), *notes_on(leaderboard))]
    if leaderboard.faults:
        lines += ["### Wrong answers", "", "| run | setting | instance | fault | reason |", "|" + " --- |" * 5]
        lines += [
            markdown_row([plain(text) for text in (f.run, f.setting, f.instance, f.fault, f.fault_reason)])
            for f in leaderboard.faults
        ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _csv(leaderboard: Leaderboard) -> str:
    names = dict.fromkeys(("setting", *SETTING_COLUMNS, *leaderboard.by, *keys_of(Rows.SETTINGS)))
    return csv_text(list(names), ([*record.values()] for record in setting_records(leaderboard)))


def setting_records(leaderboard: Leaderboard) -> list[dict[str, object]]:
    """Return what CSV says of each setting in each group, by column."""
    return [_setting_record(leaderboard.by, row) for row in leaderboard.settings]


def _json(leaderboard: Leaderboard) -> str:
    by, conditions = leaderboard.by, leaderboard.conditions
    document = {
        "settings": [_setting_record(by, row) | {"settings": options_of(row.setting)} for row in leaderboard.settings],
        "virtual_best": [_group(by, row) | _fields(row, "group") for row in leaderboard.virtual_best],
        "ranks": [
            _labelled(by, row) | _fields(row, "group", "setting") | {"flips": list(row.flips)}
            for row in leaderboard.ranks
        ],
        "pairs": [
            _group(by, row)
            | {"faster": row.faster.label, "slower": row.slower.label}
            | _fields(row, "group", "faster", "slower")
            for row in leaderboard.pairs
        ],
        "surrogates": [_kind_record(by, row, Rows.SURROGATES) for row in leaderboard.surrogates],
        "surrogate_values": [_kind_record(by, row, Rows.SURROGATE_VALUES) for row in leaderboard.surrogate_values],
        "faults": [asdict(row) for row in leaderboard.faults],
        "common": [_group(by, row) | _fields(row, "group") for row in leaderboard.common],
        "sensitivity": [_labelled(by, row) | _fields(row, "group", "setting") for row in leaderboard.sensitivity],
        "conditions": asdict(conditions)
        | {name: dict(getattr(conditions, name)) for name in ("enforcement", "counted", "lacking")},
        "planted": [{"setting": row.setting.label} | _fields(row, "setting") for row in leaderboard.planted],
        "reference": [_labelled(by, row) | record_of(Rows.REFERENCE, row) for row in leaderboard.reference],
    }
    return json_text(document)


def _setting_record(by: tuple[str, ...], row: SettingRow) -> dict[str, object]:
    """What CSV and JSON say of a setting in a group: what it is, its group, its columns."""
    setting = {name: getattr(row.setting, name) for name in SETTING_COLUMNS}
    return {"setting": row.setting.label} | setting | _group(by, row) | record_of(Rows.SETTINGS, row)


def _kind_record(by: tuple[str, ...], row: SurrogateRow | SurrogateValueRow, rows: Rows) -> dict[str, object]:
    """What JSON says of a setting on a kind of surrogate."""
    return _labelled(by, row) | {name: getattr(row, name) for name in KIND_COLUMNS} | record_of(rows, row)


def _labelled(by: tuple[str, ...], row: Any) -> dict[str, object]:
    return {"setting": row.setting.label} | _group(by, row)


def _group(by: tuple[str, ...], row: Any) -> dict[str, object]:
    return dict(zip(by, row.group, strict=True))


def _fields(row: Any, *without: str) -> dict[str, object]:
    return {name: value for name, value in asdict(row).items() if name not in without}
