"""The tables of the leaderboard as sheets of text: titles, columns, rows, legends.

The columns are defined in `ranking.columns`; `render` prints the sheets. Names in a ledger may come from anyone: they
become plain text, whatever markup or control characters they hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

from vnnbench.common.text import plain
from vnnbench.leaderboard.ranking.approaches import ApproachRow
from vnnbench.leaderboard.ranking.column_form import Table, TableColumn
from vnnbench.leaderboard.ranking.columns import columns_of
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard, SettingRow
from vnnbench.leaderboard.ranking.outcomes import GOAL, ROLE
from vnnbench.leaderboard.ranking.ranks import RankRow
from vnnbench.leaderboard.ranking.reference import ReferenceRow
from vnnbench.leaderboard.ranking.sign_flips import FEWEST
from vnnbench.leaderboard.ranking.surrogate_pairs import KIND_COLUMNS
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.surrogate_values import SurrogateValueRow
from vnnbench.leaderboard.ranking.tolerance import TOLERANCES, SensitivityRow
from vnnbench.leaderboard.records.settings import Setting
from vnnbench.leaderboard.tables.phrases import describe_absent
from vnnbench.leaderboard.tables.totals import total_rows
from vnnbench.leaderboard.text import NONE, count

_T = TypeVar("_T")
WRONG_MARK = "✗ "
_VIRTUAL_BEST = "virtual best"

APPROACHES_SHOWN = 12
"""The approaches of a group that terminals and pages show at first, even if there is room for more."""
TOLERANCE_TITLE = "Effect of tolerance"
_TOLERANCES = ("runs", *TOLERANCES)
_TOLERANCES_LEGEND = (
    "Runs with a counterexample within the time limit if a candidate may lie this far outside the input set: evaluated "
    "as given, or repaired into the set first. The other tables repair candidates that are at most 1e-5 outside. runs: "
    "measured runs on problems with a threshold."
)
_NO_INTERVAL_LEGEND = f"95% {NONE}: fewer than {FEWEST} independent problems tell nothing."
_TEST_LEGEND = "Problems that share an image are one independent problem; Holm corrects p for the number of pairs."
_BEFORE = {
    Table.RANKS: "Ranks by other shifts, by PAR, by the number done (equal ones by sgm10), over the files that all "
    "ranked settings are done with (easy), with spent runs counting as their limit (answered), and with "
    "counterexamples counting at tolerances from 0 to 1e-4, as given and repaired.",
    Table.REFERENCE: "Beside the solvers, judged like them and not ranked. Heuristics prove nothing; the "
    "prover's bounds are claims unless a proof shows them.",
}
_AFTER = {
    Table.RANKS: "!: differs from the rank by sgm10.",
    Table.APPROACHES: "ft: finetuned. oracle: the best rate of each problem, as if it were known before.",
    Table.SURROGATES: "ft: finetuned.",
    Table.SURROGATE_VALUES: "ft: finetuned.",
}
"""The legend of a table before and after the sentences about its columns."""
_ALWAYS = ("runs", "solved", "counterexamples", "robust", "spent", "timeouts")
"""The columns of the totals that are there even if they are all 0."""
_ZEROS_LEGEND = "Columns of zeros are left out."
_VIRTUAL_BEST_LEGEND = "virtual best: the fastest setting of every file."


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    section: the sub-heading in the terminal; groups: the same information as leading cells in markdown.
    """

    section: str
    groups: tuple[str, ...]
    name: str
    cells: tuple[str, ...]
    below_line: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table. name: the head of the rows' names; group_names: the heads of their groups, in markdown. brief: the
    legend in a terminal, of a table that is shown there."""

    title: str
    group_names: tuple[str, ...]
    name: str
    columns: Sequence[str]
    rows: tuple[Row, ...]
    legend: str
    brief: str = ""


def sheets_of(leaderboard: Leaderboard) -> list[Sheet]:
    """Return the tables of a leaderboard, those that rank first.

    That of values is there if every setting ran a problem without a threshold, those about surrogates if surrogates
    were run, that about tolerance if a tolerance changes a count.
    """
    rows = leaderboard.settings
    sheets = [_times_sheet(leaderboard)] if rows else []
    if leaderboard.approaches:
        sheets.append(_approach_sheet(leaderboard))
    if valued := [row for row in rows if row.value_runs]:
        sheets.append(_settings_sheet(leaderboard, Table.VALUES, valued))
    if rows:
        sheets.append(_settings_sheet(leaderboard, Table.ANSWERS, rows))
    if leaderboard.reference:
        sheets.append(_group_sheet(leaderboard, Table.REFERENCE, leaderboard.reference, leaderboard.problems_by))
    if leaderboard.surrogates:
        sheets += [
            _surrogate_sheet(leaderboard, table, leaderboard.surrogates)
            for table in (Table.SURROGATES, Table.PREPARATION)
        ]
    if leaderboard.surrogate_values:
        sheets.append(_surrogate_sheet(leaderboard, Table.SURROGATE_VALUES, leaderboard.surrogate_values))
    if any(row.flips for row in leaderboard.ranks):
        sheets.append(_group_sheet(leaderboard, Table.RANKS, leaderboard.ranks, leaderboard.by))
    if any(row.depends for row in leaderboard.sensitivity):
        sheets.append(_tolerance_sheet(leaderboard))
    return sheets


def legend_of(leaderboard: Leaderboard, columns: Sequence[TableColumn], brief: bool = False) -> str:
    """Return the sentences about the columns from left to right, then the late ones from right to left; `brief`: those
    for a terminal."""
    sentences = [column.sentence(leaderboard, brief) for column in columns if not column.shown.late]
    sentences += [column.sentence(leaderboard, brief) for column in reversed(columns) if column.shown.late]
    return " ".join(filter(None, sentences))


def _sheet(
    leaderboard: Leaderboard,
    table: Table,
    columns: Sequence[TableColumn],
    rows: Sequence[Row],
    groups: tuple[str, ...],
    name: str = "setting",
    after: Iterable[str] = (),
) -> Sheet:
    """Return a sheet; `after`: sentences at the end of both legends."""
    ending = [_AFTER.get(table, ""), *after]
    legend, brief = (
        " ".join(filter(None, [before, legend_of(leaderboard, columns, short), *ending]))
        for short, before in ((False, _BEFORE.get(table, "")), (True, ""))
    )
    return Sheet(table, groups, name, [column.head for column in columns], tuple(rows), legend, brief)


def _cells(columns: Sequence[TableColumn], row: object) -> tuple[str, ...]:
    return tuple(column.cell(row) for column in columns)


def totals_sheet(leaderboard: Leaderboard) -> Sheet:
    """Return the table of answers with one row for each setting, over all groups, without the columns of zeros."""
    together = replace(leaderboard, by=(), settings=total_rows(leaderboard.settings))
    rows, every = together.settings, columns_of(Table.ANSWERS, together.settings)
    columns = [one for one in every if one.column.key in _ALWAYS or any(one.cell(row) != "0" for row in rows)]
    named = [_setting_row((), row, _cells(columns, row)) for row in rows]
    after = [_ZEROS_LEGEND] if len(columns) < len(every) else []
    sheet = _sheet(together, Table.ANSWERS, columns, named, (), after=after)
    groups = len({row.group for row in leaderboard.settings})
    return sheet if groups < 2 else replace(sheet, title=f"{sheet.title}, all groups together")


def _settings_sheet(leaderboard: Leaderboard, table: Table, rows: Sequence[SettingRow]) -> Sheet:
    by, columns = leaderboard.by, columns_of(table, rows)
    named = [_setting_row(by, row, _cells(columns, row)) for row in rows]
    return _sheet(leaderboard, table, columns, named, by)


def _times_sheet(leaderboard: Leaderboard) -> Sheet:
    """Return the table of times; its legends explain a missing interval, the virtual best and tests only if there
    are any."""
    rows = leaderboard.settings
    columns = columns_of(Table.TIMES, rows)
    after = [_VIRTUAL_BEST_LEGEND] if leaderboard.virtual_best else []
    after += [_NO_INTERVAL_LEGEND] if any(row.lacks_interval for row in rows) else []
    after += [_TEST_LEGEND] if leaderboard.pairs else []
    named = tuple(_time_rows(leaderboard, columns))
    return _sheet(leaderboard, Table.TIMES, columns, named, leaderboard.by, after=after)


def _time_rows(leaderboard: Leaderboard, columns: Sequence[TableColumn]) -> Iterator[Row]:
    """Yield the rows of every group: the ranked settings, the virtual best one, then those below the line."""
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


def _group_sheet(
    leaderboard: Leaderboard, table: Table, rows: Sequence[RankRow | ReferenceRow], by: tuple[str, ...]
) -> Sheet:
    """Return a table of settings by group, none of them below the line."""
    columns = columns_of(table, rows)
    named = [
        Row(describe_group(by, row.group), _group_texts(row.group), name_within(by, row.setting), _cells(columns, row))
        for row in rows
    ]
    return _sheet(leaderboard, table, columns, named, by)


def _tolerance_sheet(leaderboard: Leaderboard) -> Sheet:
    """Return the table of tolerances: its columns are distances (`tolerance.TOLERANCES`), with two rows per setting."""
    by = leaderboard.problems_by
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
    by, columns = leaderboard.problems_by, columns_of(table, rows)
    named = [_surrogate_row(by, row, _cells(columns, row)) for row in rows]
    groups = (*_beside_kind(by, by), "setting", "formulation")
    return _sheet(leaderboard, table, columns, _together(named), groups, "surrogate")


def _approach_sheet(leaderboard: Leaderboard) -> Sheet:
    by, columns = leaderboard.approaches_by, columns_of(Table.APPROACHES, leaderboard.approaches)
    named = [
        Row(
            describe_group(by, row.group), _group_texts(row.group), _approach_name(by, row), _cells(columns, row),
            row.below_line,
        )
        for row in leaderboard.approaches
    ]  # fmt: skip
    after = _problems_legend(leaderboard.approaches)
    return _sheet(leaderboard, Table.APPROACHES, columns, named, by, "approach", after)


def _problems_legend(rows: Sequence[ApproachRow]) -> Iterator[str]:
    """Yield which problems are not compared, and why no approach can find a counterexample of each that is."""
    groups = {row.group: row for row in rows}.values()
    problems, robust, refused, missing = (
        sum(getattr(row, name) for row in groups) for name in ("problems", "robust", "refused", "not_run_by_all")
    )
    if why := describe_absent(refused, missing):
        yield f"Left out: {refused + missing} of {count(problems + refused + missing, 'problem')} ({why})."
    if robust:
        within = ", all groups together," if len(groups) > 1 else ""
        have = "has" if robust == 1 else "have"
        yield f"By a solver's claim or a proof, {robust} of the {problems} problems{within} {have} no counterexample."


def _approach_name(by: tuple[str, ...], row: ApproachRow) -> str:
    """Return the setting, and what it was run on."""
    setting = (WRONG_MARK if row.below_line else "") + name_within(by, row.setting)
    if row.is_reference:
        return f"{setting} (not ranked)"
    if row.pruning is None:
        return f"{setting} {_group_text(row.formulation)}, dense"
    rate = "oracle" if row.is_oracle else _group_text(row.rate)
    kind = [_group_text(row.pruning), _group_text(row.structure), *(["ft"] if row.finetuned else []), rate]
    return f"{setting} {_group_text(row.formulation)}, {' '.join(kind)}"


def _together(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with those of one section together; groups that are not shown, such as the rate, split it."""
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
    """Return a group in words, such as "goal decide, dense files, depth 2"; "" if there is only one group."""
    return ", ".join(
        f"{_group_text(value)} files" if name == ROLE else f"{name} {_group_text(value)}"
        for name, value in zip(by, group, strict=True)
    )


def name_within(by: Sequence[str], setting: Setting) -> str:
    """Return a setting's name for use below the words for its group, which may already name its goal."""
    return plain(setting.name if GOAL in by else setting.label)


def beside_label(by: Sequence[str], values: Sequence[_T], said: Collection[str] = (GOAL,)) -> tuple[_T, ...]:
    """Return the values of a group that a setting's label does not name already, as it names the goal."""
    return tuple(value for name, value in zip(by, values, strict=True) if name not in said)


def _beside_kind(by: Sequence[str], values: Sequence[_T]) -> tuple[_T, ...]:
    """Return the values of a group that a setting's label and a kind of surrogate do not name already."""
    return beside_label(by, values, (GOAL, *KIND_COLUMNS))


def _group_texts(group: Sequence[object]) -> tuple[str, ...]:
    return tuple(_group_text(value) for value in group)


def _group_text(value: object) -> str:
    if value is None:
        return NONE
    return f"{value:g}" if isinstance(value, float) else plain(value)
