"""The leaderboard on a terminal: two screens of 80 columns at most, whatever the ledger holds.

First what is wrong, disturbed or not comparable; then the tables that rank, then counts, then the other notes, and in
the last line what more the other formats have. Tables are cut to the lines that there are (`cuts`), and say so.

Names in a ledger may come from anyone: they are printed as plain text, whatever markup or control characters they hold,
and long ones are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from vnnbench.common.text import plain, shortened
from vnnbench.leaderboard.ranking.column_form import Table
from vnnbench.leaderboard.ranking.leaderboard import FaultRow, Leaderboard
from vnnbench.leaderboard.tables.build import APPROACHES_SHOWN, TOLERANCE_TITLE, Row, Sheet, sheets_of, totals_sheet
from vnnbench.leaderboard.tables.cuts import Section, cut_rows, lines_of, share_out
from vnnbench.leaderboard.tables.notes import notes_on, setup_note, summary_of
from vnnbench.leaderboard.tables.short_labels import LONGEST, with_short_labels
from vnnbench.leaderboard.text import count

LINES = 96
"""Two screens of 50 lines, without those of the prompt and the command. They are enough from 80 columns on."""
FAULTS_SHOWN = 3
ALL = "see `--format markdown`"
_LINE = "┄┄ below the line: settings with a wrong answer ┄┄"
_GAP = 2  # blanks between two columns
_NARROWEST = 10  # columns of a name
_NOTE, _NAME = 4, 2  # lines of a note, and of a heading or of what is quoted; of what is longer a part is cut out
_ABOVE, _ON_TIMES, _BELOW = 12, 7, 8  # lines of notes at the most
_QUESTIONS: dict[str, str] = {
    Table.TIMES: "which solver is done with a file soonest",
    Table.APPROACHES: "what finds a counterexample of a dense network soonest",
}
_ELSEWHERE: set[str] = {Table.PREPARATION, Table.RANKS, TOLERANCE_TITLE}
"""The tables that only other formats have; a note or another table has the main point of each."""


def terminal_view(leaderboard: Leaderboard, console: Console) -> Group:
    """Return what a terminal shows, in the width of a console."""
    if not leaderboard.settings and not leaderboard.reference:
        return Group(Text("No runs in this ledger."))
    leaderboard = with_short_labels(leaderboard)
    notes, screen = notes_on(leaderboard), _Screen(console)
    top = [
        Text(summary_of(leaderboard), style="bold red" if leaderboard.faults else "bold"),
        *screen.notes(notes.wrong, _NOTE, "red"),
        *screen.faults(leaderboard.faults),
        *screen.notes(notes.above, _ABOVE, "yellow"),
    ]
    end = [Text(""), *screen.notes((setup_note(leaderboard), *notes.below), _BELOW)]
    on_times = screen.notes(notes.on_times, _ON_TIMES)
    sheets, elsewhere = _sheets(leaderboard)
    lines = LINES - screen.height([*top, *end, screen.more([*elsewhere, *(sheet.title for sheet in sheets)])])
    tables = [_FittedTable(screen, sheet, on_times if sheet.title == Table.TIMES else []) for sheet in sheets]
    parts, left_out = _fitted(tables, lines)
    return Group(*top, *parts, *end, screen.more([*elsewhere, *left_out]))


def _sheets(leaderboard: Leaderboard) -> tuple[list[Sheet], list[str]]:
    """Return the tables for a terminal, and the titles of the others.

    The ranking of approaches sums up what the tables of surrogates and references have in detail. These are shown only
    where it lacks something of them, such as values and robust answers.
    """
    approached = {row.setting for row in leaderboard.approaches}
    summed_up = set(_ELSEWHERE)
    if approached:
        summed_up.add(Table.SURROGATES)
    proved = [row for row in leaderboard.reference if row.values or row.robust_certified or row.robust_claimed]
    if not proved and all(row.setting in approached for row in leaderboard.reference):
        summed_up.add(Table.REFERENCE)
    sheets = sheets_of(replace(leaderboard, virtual_best=()))
    shown = [
        totals_sheet(leaderboard) if sheet.title == Table.ANSWERS else sheet
        for sheet in sheets
        if sheet.title not in summed_up
    ]
    return shown, [sheet.title for sheet in sheets if sheet.title in summed_up]


@dataclass(frozen=True, slots=True)
class _Screen:
    """Text for a console, and how many lines it takes there."""

    console: Console

    def height(self, parts: Iterable[RenderableType]) -> int:
        """Return the lines that some parts take."""
        return sum(len(self.console.render_lines(part, self.console.options)) for part in parts)

    def short(self, text: str, lines: int, style: str = "", indent: int = 0) -> RenderableType:
        """Return a text in at most so many lines: if it takes more, without a part in its middle."""
        longest = len(text)
        while True:
            cut = Text(shortened(text, longest), style=style, overflow="fold")
            shown = Padding(cut, (0, 0, 0, indent)) if indent else cut
            if self.height([shown]) <= lines or longest <= self.console.width // 2:
                return shown
            longest = min(9 * longest // 10, lines * self.console.width)

    def notes(self, notes: Sequence[str], lines: int, style: str = "") -> list[RenderableType]:
        """Return the first notes, and how many more there are where they would take too many lines."""
        shown: list[RenderableType] = []
        for left, note in zip(range(len(notes), 0, -1), notes, strict=True):
            text = self.short(note, _NOTE, style)
            if self.height([*shown, text]) + (left > 1) > lines:
                return [*shown, Text(f"and {count(left, 'more note')}; {ALL}", style=style)]
            shown.append(text)
        return shown

    def faults(self, faults: Sequence[FaultRow]) -> list[RenderableType]:
        """Return the first wrong answers."""
        parts: list[RenderableType] = []
        for fault in faults[:FAULTS_SHOWN]:
            head = f"run {plain(fault.run)}, {plain(fault.setting)} on {plain(fault.instance)}"
            reason = f"{fault.fault}: {plain(fault.fault_reason)}"
            parts += [self.short(head, _NAME, indent=2), self.short(reason, _NAME, "red", indent=4)]
        if len(faults) > FAULTS_SHOWN:
            parts.append(Text(f"  and {len(faults) - FAULTS_SHOWN} more; {ALL}"))
        return parts

    def more(self, titles: Iterable[str]) -> Text:
        """Return the line on what more the other formats have: these tables, among others."""
        how = "More by `--format markdown` or `json`, or as a site by `vnnbench publish`: "
        return Text(f"{how}{'; '.join(['whole legends', 'the virtual best', *titles])}.", style="dim")


class _FittedTable:
    """A table that can be cut to a number of lines. notes: what stands between it and its legend.

    least, most: the lines of the table with one row, and with all rows that a terminal may show.
    """

    def __init__(self, screen: _Screen, sheet: Sheet, notes: Sequence[RenderableType]) -> None:
        by_section = groupby(sheet.rows, key=lambda row: row.section)
        self._sections = [(section, list(rows)) for section, rows in by_section]
        self._shown = APPROACHES_SHOWN if sheet.title == Table.APPROACHES else LINES
        candidates = [row for _, rows in self._sections[:LINES] for row in rows[: self._shown]]
        self._names = {row: shortened(row.name, 2 * LONGEST) for row in candidates}
        self._sheet, self._screen, self.title = sheet, screen, sheet.title
        cells = [sheet.columns, *(row.cells for row in candidates)]
        self._widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        longest = max(cell_len(name) for name in (sheet.name, *self._names.values()))
        left = screen.console.width - sum(self._widths) - _GAP * len(self._widths)
        self._name_width = max(min(longest, left), _NARROWEST)
        question = _QUESTIONS.get(sheet.title)
        title = Text(sheet.title, style="bold").append(f": {question}" if question else "", style="not bold")
        self._head: list[RenderableType] = [Text(""), title, self._grid([], header=True)]
        self._foot: list[RenderableType] = [*notes, Text(sheet.brief, style="dim")]
        self._frame = screen.height([*self._head, *self._foot])
        self._lines = [self._section_lines(section, rows) for section, rows in self._sections[:LINES]]
        self.least = self._height([1])
        self.most = self._height([len(section.rows) for section in self._lines])

    def cut(self, lines: int) -> tuple[list[RenderableType], int]:
        """Return the parts of the table in at most so many lines, and how many these are."""
        shown = cut_rows(self._lines, len(self._sections), lines - self._frame)
        parts: list[RenderableType] = [*self._head]
        for number, (section, rows) in zip(shown, self._sections, strict=False):
            parts += [self._heading(section)] if section else []
            for below_line, own in groupby(rows[:number], key=lambda row: row.below_line):
                parts += [Text(_LINE, style="red")] if below_line else []
                parts.append(self._grid(own))
            if number < len(rows):
                parts.append(_and_more(f"{len(rows) - number} more", rows[number:]))
        if left := self._sections[len(shown) :]:
            rows = [row for _, own in left for row in own]
            parts.append(_and_more(f"{count(len(left), 'more group')} with {len(rows)} rows", rows))
        return [*parts, *self._foot], self._height(shown)

    def _height(self, shown: Sequence[int]) -> int:
        return self._frame + lines_of(self._lines, shown, len(self._sections))

    def _section_lines(self, section: str, rows: Sequence[Row]) -> Section:
        heading = self._screen.height([self._heading(section)]) if section else 0
        heights = [self._row_lines(row) for row in rows[: self._shown]]
        line = next((place for place, row in enumerate(rows[: self._shown]) if row.below_line), None)
        if line is not None:
            heights[line] += 1
        return Section(heading, tuple(heights), len(rows))

    def _row_lines(self, row: Row) -> int:
        return len(Text(self._names[row]).wrap(self._screen.console, self._name_width, overflow="fold"))

    def _heading(self, section: str) -> RenderableType:
        return self._screen.short(section, _NAME, "bold")

    def _grid(self, rows: Iterable[Row], header: bool = False) -> Grid:
        """Return rows as a table of their own, in the widths of all: a rich table has no row that spans its columns."""
        grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, show_header=header)
        grid.add_column(Text(self._sheet.name), overflow="fold", width=self._name_width)
        for column, width in zip(self._sheet.columns, self._widths, strict=True):
            grid.add_column(Text(column), justify="right", no_wrap=True, width=width)
        for row in rows:
            name = Text(self._names[row], style="red" if row.below_line else "")
            grid.add_row(name, *(Text(cell) for cell in row.cells))
        return grid


def _fitted(tables: Sequence[_FittedTable], lines: int) -> tuple[list[RenderableType], list[str]]:
    """Return the tables in at most so many lines, and the titles of those for which there are not enough.

    The first table, which ranks, has a claim to half of the lines, every other one to a row. They share the rest, and
    the first one gets what the others leave.
    """
    claims: list[int] = []
    left_out = []
    for place, table in enumerate(tables):
        claim = table.least if place else max(table.least, min(table.most, lines // 2))
        if claim <= lines - sum(claims):
            claims.append(claim)
        else:
            left_out.append(table.title)
    shown = [table for table in tables if table.title not in left_out]
    parts: list[RenderableType] = []
    spare = lines - sum(claims)
    for place, (table, claim) in enumerate(zip(shown, claims, strict=True)):
        wanted = [one.most - own for one, own in zip(shown[place:], claims[place:], strict=True)]
        own_parts, used = table.cut(claim + share_out(wanted, spare))
        parts += own_parts
        spare -= used - claim
    return parts, left_out


def _and_more(what: str, rows: Sequence[Row]) -> Text:
    """Return the line on what is left out, with these rows."""
    below = sum(row.below_line for row in rows)
    wrong = f", {below} below the line" if below else ""
    return Text(f"and {what}{wrong}; {ALL}", style="red" if below else "dim")
