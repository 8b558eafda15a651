"""The leaderboard as text, in every format.

table      two screens for a terminal (`terminal`): rounded, cut to the lines that there are, with short legends
markdown   every table and note (`markdown`); rounded, with whole legends
csv, json  everything, unrounded (`exports`)
latex      a table for a paper (`latex`)
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from typing import TextIO

from rich.console import Console
from rich.live import Live

from vnnbench.leaderboard.ranking.leaderboard import Leaderboard
from vnnbench.leaderboard.tables.exports import csv_table, json_document
from vnnbench.leaderboard.tables.latex import latex_table
from vnnbench.leaderboard.tables.markdown import markdown_document
from vnnbench.leaderboard.tables.terminal import terminal_view

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
        console.print(terminal_view(leaderboard, console))
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
            live.update(terminal_view(last, console), refresh=True)
    return last


def render(leaderboard: Leaderboard, output: Format, width: int = PLAIN_WIDTH) -> str:
    """Return the leaderboard as plain text, without ANSI; `width` is that of the format `table`."""
    if output is Format.JSON:
        return json_document(leaderboard)
    if output is Format.CSV:
        return csv_table(leaderboard)
    if output is Format.MARKDOWN:
        return markdown_document(leaderboard)
    if output is Format.LATEX:
        return latex_table(leaderboard)
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=False, no_color=True)
    console.print(terminal_view(leaderboard, console))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
