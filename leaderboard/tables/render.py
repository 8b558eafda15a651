"""The leaderboard as text: terminal tables (rich), markdown, CSV, JSON, LaTeX.

table, markdown   answers, times, ranks, tolerance, dense against surrogate, wrong answers; rounded, with a legend; the
                  table cuts labels of settings that would flood a terminal
csv, json         everything, unrounded (`exports`)
latex             a table for a paper (`latex`)

Names in a ledger may come from anyone: they are printed as plain text, whatever markup or control characters they hold.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from itertools import groupby
from typing import TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vnnbench.common.text import plain
from vnnbench.leaderboard.ranking.leaderboard import FaultRow, Leaderboard
from vnnbench.leaderboard.tables.build import Row, Sheet, sheets_of
from vnnbench.leaderboard.tables.exports import csv_table, json_document
from vnnbench.leaderboard.tables.latex import latex_table
from vnnbench.leaderboard.tables.notes import notes_on, setup_note
from vnnbench.leaderboard.tables.short_labels import with_short_labels
from vnnbench.leaderboard.text import markdown_row, markdown_table, markdown_text

FAULTS_SHOWN = 20
_GAP = 2  # blanks between two columns
_LINE = "┄┄ below the line: settings with a wrong answer ┄┄"
PLAIN_WIDTH = 80


class Format(StrEnum):
    """The formats of a printed leaderboard."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"
    LATEX = "latex"


def write_leaderboard(leaderboard: Leaderboard, output: Format, stream: TextIO) -> None:
    """Write the leaderboard to a stream: to a terminal in its width and in colour, else in 80 columns without ANSI."""
    if output is Format.TABLE and stream.isatty():
        console = Console(file=stream)
        console.print(_terminal(leaderboard, console.width))
    else:
        stream.write(render(leaderboard, output))


def watch_leaderboard(boards: Iterable[Leaderboard], stream: TextIO) -> Leaderboard | None:
    """Show each leaderboard in place of the one before, on a terminal, until the last one or Ctrl-C.

    Lines that do not fit are cut off below. Returns the last one.
    """
    console = Console(file=stream)
    last = None
    with Live(console=console, screen=True, auto_refresh=False) as live, suppress(KeyboardInterrupt):
        for last in boards:
            live.update(_terminal(last, console.width), refresh=True)
    return last


def render(leaderboard: Leaderboard, output: Format, width: int = PLAIN_WIDTH) -> str:
    """Return the leaderboard as plain text, without ANSI; `width` is that of the format `table`."""
    if output is Format.JSON:
        return json_document(leaderboard)
    if output is Format.CSV:
        return csv_table(leaderboard)
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
    """Return the header, then one aligned table per section: a rich table has no row that spans its columns."""
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
        own = list(in_section)
        parts += [Text(section, style="bold", overflow="fold")] if section else []
        for below_line, rows in groupby(own[: sheet.most], key=lambda row: row.below_line):
            parts += [Text(_LINE, style="red")] if below_line else []
            parts.append(table(rows))
        if sheet.most is not None and len(own) > sheet.most:
            parts.append(
                Text(f"and {len(own) - sheet.most} more; `--format markdown` or `json` shows all", style="dim")
            )
    return parts


def _terminal_faults(faults: tuple[FaultRow, ...]) -> list[RenderableType]:
    parts: list[RenderableType] = [Text("Wrong answers", style="bold red")]
    for fault in faults[:FAULTS_SHOWN]:
        head = f"run {plain(fault.run)}, {plain(fault.setting)} on {plain(fault.instance)}"
        reason = Text(f"{fault.fault}: {plain(fault.fault_reason)}", overflow="fold")
        parts += [Text(head, overflow="fold"), Padding(reason, (0, 0, 0, 2))]
    if len(faults) > FAULTS_SHOWN:
        parts.append(Text(f"and {len(faults) - FAULTS_SHOWN} more; `--format json` shows all"))
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
