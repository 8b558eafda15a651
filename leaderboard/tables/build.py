"""What the leaderboard shows, as sheets of text: titles, columns, rows, legends. What the columns are:
`ranking.columns`. How sheets are printed: `render`.

Names out of a ledger are anyone's: they become plain text, whatever markup or control characters they hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

from vnnbench.common.text import plain
from vnnbench.leaderboard.ranking.column_form import Table, TableColumn
from vnnbench.leaderboard.ranking.columns import columns_of
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard, SettingRow
from vnnbench.leaderboard.ranking.outcomes import GOAL
from vnnbench.leaderboard.ranking.ranks import RankRow
from vnnbench.leaderboard.ranking.reference import ReferenceRow
from vnnbench.leaderboard.ranking.surrogate_pairs import KIND_COLUMNS
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.surrogate_values import SurrogateValueRow
from vnnbench.leaderboard.ranking.tolerance import TOLERANCES, SensitivityRow
from vnnbench.leaderboard.records.settings import Setting
from vnnbench.leaderboard.text import NONE

_T = TypeVar("_T")
WRONG_MARK = "✗ "
_VIRTUAL_BEST = "virtual best"

TOLERANCE_TITLE = "How much is tolerance"
_TOLERANCES = ("runs", *TOLERANCES)
_TOLERANCES_LEGEND = (
    "Runs with a counterexample within the time limit if a candidate may lie so far outside the input set: as given, "
    "and evaluated there, or repaired into the set first. The other tables repair, within 1e-5. runs: with a "
    "threshold, and measured."
)
_NO_INTERVAL_LEGEND = f"95% {NONE}: over a single problem there is none."
_BEFORE = {
    Table.RANKS: "Ranks by other shifts, by PAR, by the number solved, over what all ranked settings solved (easy), "
    "with the time of spent runs in place of their limit (ended), and with counterexamples counting at tolerances from "
    "0 to 1e-4, as given and repaired.",
    Table.REFERENCE: "An attack by projected gradient ascent, judged like the solvers; it proves nothing and is not "
    "ranked.",
}
_AFTER = {
    Table.TIMES: "virtual best: the fastest setting of every run.",
    Table.RANKS: "!: not the rank by sgm10.",
    Table.SURROGATES: "ft: finetuned.",
    Table.SURROGATE_VALUES: "ft: finetuned.",
}
"""What the legend of a table says before and after the sentences about its columns."""


@dataclass(frozen=True, slots=True)
class Row:
    """section: what a sub-heading says in the terminal; groups: the same as leading cells in markdown."""

    section: str
    groups: tuple[str, ...]
    name: str
    cells: tuple[str, ...]
    below_line: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table. name: head of the rows' names; group_names: heads of their groups, in markdown."""

    title: str
    group_names: tuple[str, ...]
    name: str
    columns: Sequence[str]
    rows: tuple[Row, ...]
    legend: str


def sheets_of(leaderboard: Leaderboard) -> list[Sheet]:
    """The tables, those about surrogates only where there are any, that about tolerance where it changes something."""
    sheets = [_answers_sheet(leaderboard), _times_sheet(leaderboard)] if leaderboard.settings else []
    if any(row.flips for row in leaderboard.ranks):
        sheets.append(_group_sheet(leaderboard, Table.RANKS, leaderboard.ranks))
    if leaderboard.reference:
        sheets.append(_group_sheet(leaderboard, Table.REFERENCE, leaderboard.reference))
    if any(row.depends for row in leaderboard.sensitivity):
        sheets.append(_tolerance_sheet(leaderboard))
    if leaderboard.surrogates:
        sheets += [
            _surrogate_sheet(leaderboard, table, leaderboard.surrogates)
            for table in (Table.SURROGATES, Table.PREPARATION)
        ]
    if leaderboard.surrogate_values:
        sheets.append(_surrogate_sheet(leaderboard, Table.SURROGATE_VALUES, leaderboard.surrogate_values))
    return sheets


def legend_of(leaderboard: Leaderboard, columns: Sequence[TableColumn]) -> str:
    """The sentences about columns from left to right, and those that stand late from right to left."""
    told = [column.sentence(leaderboard) for column in columns if not column.shown.late]
    told += [column.sentence(leaderboard) for column in reversed(columns) if column.shown.late]
    return " ".join(filter(None, told))


def _sheet(
    leaderboard: Leaderboard,
    table: Table,
    columns: Sequence[TableColumn],
    rows: Sequence[Row],
    groups: tuple[str, ...],
    name: str = "setting",
) -> Sheet:
    told = [_BEFORE.get(table, ""), legend_of(leaderboard, columns), _AFTER.get(table, "")]
    return Sheet(table, groups, name, [column.head for column in columns], tuple(rows), " ".join(filter(None, told)))


def _cells(columns: Sequence[TableColumn], row: object) -> tuple[str, ...]:
    return tuple(column.cell(row) for column in columns)


def _answers_sheet(leaderboard: Leaderboard) -> Sheet:
    by, rows = leaderboard.by, leaderboard.settings
    columns = columns_of(Table.ANSWERS, rows)
    named = [_setting_row(by, row, _cells(columns, row)) for row in rows]
    return _sheet(leaderboard, Table.ANSWERS, columns, named, by)


def _times_sheet(leaderboard: Leaderboard) -> Sheet:
    """Why a ranked setting has no interval is said only where there is one: most ledgers have many problems."""
    rows = leaderboard.settings
    columns = columns_of(Table.TIMES, rows)
    sheet = _sheet(leaderboard, Table.TIMES, columns, tuple(_time_rows(leaderboard, columns)), leaderboard.by)
    lacks = any(row.lacks_interval for row in rows)
    return replace(sheet, legend=f"{sheet.legend} {_NO_INTERVAL_LEGEND}") if lacks else sheet


def _time_rows(leaderboard: Leaderboard, columns: Sequence[TableColumn]) -> Iterator[Row]:
    """The virtual best setting of a group stands below the ranked ones."""
    by = leaderboard.by
    best = {row.group: row for row in leaderboard.virtual_best}
    for group, own in groupby(leaderboard.settings, key=lambda row: row.group):
        rows = list(own)
        yield from (_setting_row(by, row, _cells(columns, row)) for row in rows if not row.below_line)
        if group in best:
            found = best[group]
            cells = tuple(column.cell(found) if column.is_of(found) else NONE for column in columns)
            yield Row(describe_group(by, group), _group_texts(group), _VIRTUAL_BEST, cells)
        yield from (_setting_row(by, row, _cells(columns, row)) for row in rows if row.below_line)


def _setting_row(by: tuple[str, ...], row: SettingRow, cells: tuple[str, ...]) -> Row:
    name = (WRONG_MARK if row.below_line else "") + name_within(by, row.setting)
    return Row(describe_group(by, row.group), _group_texts(row.group), name, cells, row.below_line)


def _group_sheet(leaderboard: Leaderboard, table: Table, rows: Sequence[RankRow | ReferenceRow]) -> Sheet:
    """Settings by group, none of them below the line."""
    by, columns = leaderboard.by, columns_of(table, rows)
    named = [
        Row(describe_group(by, row.group), _group_texts(row.group), name_within(by, row.setting), _cells(columns, row))
        for row in rows
    ]
    return _sheet(leaderboard, table, columns, named, by)


def _tolerance_sheet(leaderboard: Leaderboard) -> Sheet:
    """Its columns are distances, see `tolerance.TOLERANCES`, and each setting has two rows."""
    by = leaderboard.by
    rows = tuple(row for own in leaderboard.sensitivity for row in _tolerance_rows(by, own))
    groups = (*beside_label(by, by), "setting")
    return Sheet(TOLERANCE_TITLE, groups, "candidates", _TOLERANCES, rows, _TOLERANCES_LEGEND)


def _tolerance_rows(by: tuple[str, ...], row: SensitivityRow) -> Iterator[Row]:
    names, group, label = beside_label(by, by), beside_label(by, row.group), plain(row.setting.label)
    section = ", ".join(part for part in (describe_group(names, group), label) if part)
    for name, counts in (("as given", row.as_given), ("repaired", row.repaired)):
        cells = tuple(map(str, (row.runs - row.unmeasured, *counts.values())))
        yield Row(section, (*_group_texts(group), label), name, cells)


def _surrogate_sheet(leaderboard: Leaderboard, table: Table, rows: Sequence[SurrogateRow | SurrogateValueRow]) -> Sheet:
    by, columns = leaderboard.by, columns_of(table, rows)
    named = [_surrogate_row(by, row, _cells(columns, row)) for row in rows]
    groups = (*_beside_kind(by, by), "setting", "formulation")
    return _sheet(leaderboard, table, columns, _together(named), groups, "surrogate")


def _together(rows: Sequence[Row]) -> list[Row]:
    """Rows of one section stand together: groups that are not said, such as the rate, would tear it apart."""
    sections = list(dict.fromkeys(row.section for row in rows))
    return sorted(rows, key=lambda row: sections.index(row.section))


def _surrogate_row(by: tuple[str, ...], row: SurrogateRow | SurrogateValueRow, cells: tuple[str, ...]) -> Row:
    names, group = _beside_kind(by, by), _beside_kind(by, row.group)
    who = (plain(row.setting.label), _group_text(row.formulation))
    kind = [_group_text(row.pruning), _group_text(row.structure), _group_text(row.rate)]
    return Row(
        section=", ".join(part for part in (describe_group(names, group), " ".join(who)) if part),
        groups=(*_group_texts(group), *who),
        name=" ".join([*kind, *(["ft"] if row.finetuned else [])]),
        cells=cells,
    )


def describe_group(by: Sequence[str], group: Sequence[object]) -> str:
    """A group in words, such as "goal decide, depth 2"; nothing where all is one group."""
    return ", ".join(f"{name} {_group_text(value)}" for name, value in zip(by, group, strict=True))


def name_within(by: Sequence[str], setting: Setting) -> str:
    """A setting below the words for its group, which may say its goal already."""
    return plain(setting.name if GOAL in by else setting.label)


def beside_label(by: Sequence[str], values: Sequence[_T], said: Collection[str] = (GOAL,)) -> tuple[_T, ...]:
    """Of values of a group those that are worth a word beside a setting's label, which says its goal."""
    return tuple(value for name, value in zip(by, values, strict=True) if name not in said)


def _beside_kind(by: Sequence[str], values: Sequence[_T]) -> tuple[_T, ...]:
    """The same beside a label and a kind of surrogate."""
    return beside_label(by, values, (GOAL, *KIND_COLUMNS))


def _group_texts(group: Sequence[object]) -> tuple[str, ...]:
    return tuple(_group_text(value) for value in group)


def _group_text(value: object) -> str:
    if value is None:
        return NONE
    return f"{value:g}" if isinstance(value, float) else plain(value)
