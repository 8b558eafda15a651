"""The leaderboard in markdown: everything that a reader may want, with whole legends, and nothing cut.

Names in a ledger may come from anyone: they are escaped, so that they are shown as they are.
"""

from __future__ import annotations

from collections.abc import Iterable

from vnnbench.common.text import plain
from vnnbench.leaderboard.ranking.column_form import Table
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard
from vnnbench.leaderboard.tables.build import sheets_of
from vnnbench.leaderboard.tables.notes import notes_on, setup_note, summary_of
from vnnbench.leaderboard.text import markdown_row, markdown_table, markdown_text


def markdown_document(leaderboard: Leaderboard) -> str:
    """Return the tables with the notes at their places, and all wrong answers at the end."""
    if not leaderboard.settings and not leaderboard.reference:
        return "No runs in this ledger.\n"
    notes = notes_on(leaderboard)
    lines = _paragraphs([summary_of(leaderboard), *notes.wrong, *notes.above])
    for sheet in sheets_of(leaderboard):
        names = [*sheet.group_names, sheet.name]
        rows = [[*row.groups, row.name, *row.cells] for row in sheet.rows]
        lines += [f"### {sheet.title}", "", *markdown_table(names, sheet.columns, rows), ""]
        lines += _paragraphs(notes.on_times if sheet.title == Table.TIMES else ())
        lines += [sheet.legend, ""]
    lines += _paragraphs([setup_note(leaderboard), *notes.below])
    if leaderboard.faults:
        lines += ["### Wrong answers", "", "| run | setting | instance | fault | reason |", "|" + " --- |" * 5]
        lines += [
            markdown_row([plain(text) for text in (f.run, f.setting, f.instance, f.fault, f.fault_reason)])
            for f in leaderboard.faults
        ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _paragraphs(texts: Iterable[str]) -> list[str]:
    return [f"{markdown_text(text)}\n" for text in texts]
