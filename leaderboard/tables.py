"""The leaderboard as text: terminal tables (rich), markdown, csv, json. The only place that imports rich, for tables.

table, markdown   answers, times, dense against surrogate, wrong answers; rounded, with a legend
csv               one row per setting and group, every column, unrounded; empty field = none, flags 0|1
json              {"settings": [..], "surrogates": [..], "faults": [..], "common": [..]}, unrounded; null = none

Names out of a ledger are anyone's: they are printed as plain text, whatever markup or control characters they hold.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby
from typing import TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from leaderboard.markdown import markdown_row, markdown_table, markdown_text
from leaderboard.ranking import CommonSet, FaultRow, Leaderboard, SettingRow
from leaderboard.settings import options_of
from leaderboard.surrogates import KIND_COLUMNS, SurrogateRow

NONE = "–"
WRONG_MARK = "✗ "
FAULTS_SHOWN = 20
_GAP = 2  # blanks between two columns
_LINE = "┄┄ below the line: settings with a wrong answer ┄┄"
PLAIN_WIDTH = 80

_ANSWERS = ("runs", "solved", "cex", "robust", "time", "mem", "err", "lic", "wrong")
_ANSWERS_LEGEND = (
    "solved: cex or robust. cex: a counterexample, confirmed exactly on the dense network. robust: claimed by the "
    "solver; a surrogate's run never is. time, mem: stopped by that limit. err: failed. lic: refused by its licence. "
    "wrong: refuted; puts the setting below the line."
)
_TIMES = ("pairs", "solved", "sgm1", "sgm10", "PAR10", "first")
_TIMES_LEGEND = (
    "Seconds; an unsolved run counts as its time limit, in PAR10 as ten times that. sgm1, sgm10: geometric mean "
    "shifted by 1 s, 10 s. first: median time to the first counterexample, where there is one."
)
_SURROGATES = ("pairs", "left", "dense", "surr.", "faster", "slower", "ratio")
_SURROGATES_LEGEND = (
    "dense, surr.: counterexamples found through each. faster, slower: share of pairs where the surrogate run found "
    "its first one sooner, later; none found counts as the time limit, ties as neither. ratio: dense over surrogate "
    "time, geometric mean. left: pairs left out, one side missing or refused. ft: finetuned."
)


class Format(StrEnum):
    """How to print a leaderboard."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class _Row:
    """section: what a sub-heading says in the terminal; groups: the same as leading cells in markdown."""

    section: str
    groups: tuple[str, ...]
    name: str
    cells: tuple[str, ...]
    below_line: bool = False


@dataclass(frozen=True, slots=True)
class _Sheet:
    title: str
    group_names: tuple[str, ...]
    name: str
    columns: Sequence[str]
    rows: tuple[_Row, ...]
    legend: str


def write_leaderboard(leaderboard: Leaderboard, output: Format, stream: TextIO) -> None:
    """Print to a stream: as wide as the terminal and in colour if it is one, else 80 columns without any ANSI."""
    if output is Format.TABLE and stream.isatty():
        console = Console(file=stream)
        console.print(_terminal(leaderboard, console.width))
    else:
        stream.write(render(leaderboard, output))


def render(leaderboard: Leaderboard, output: Format, width: int = PLAIN_WIDTH) -> str:
    """The leaderboard as plain text, without ANSI; `width` is that of the format `table`."""
    if output is Format.JSON:
        return _json(leaderboard)
    if output is Format.CSV:
        return _csv(leaderboard)
    if output is Format.MARKDOWN:
        return _markdown(leaderboard)
    text = io.StringIO()
    Console(file=text, width=width, force_terminal=False, no_color=True).print(_terminal(leaderboard, width))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def format_number(value: float | None) -> str:
    """Three significant digits, and never fewer than the integer part has: 0.123, 12.3, 123, 1234; none is a dash."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    return f"{value:#.3g}".removesuffix(".")


def format_percent(share: float | None) -> str:
    """A share (0 to 1) in whole percent; none is a dash."""
    return NONE if share is None else f"{100 * share:.0f}%"


def plain(text: object) -> str:
    """Text as one visible line: control, formatting and line-breaking characters become escapes such as \\x1b."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


# -- what is shown ---------------------------------------------------------------------------------------------------


def _sheets(leaderboard: Leaderboard) -> list[_Sheet]:
    by, rows = leaderboard.by, leaderboard.settings
    sheets = [
        _Sheet(
            "Answers", by, "setting", _ANSWERS, tuple(_setting_row(by, r, _answers(r)) for r in rows), _ANSWERS_LEGEND
        ),
        _Sheet("Times", by, "setting", _TIMES, tuple(_setting_row(by, r, _times(r)) for r in rows), _TIMES_LEGEND),
    ]
    if leaderboard.surrogates:
        # What tells the kinds of surrogates apart anyway need not be said twice.
        kept = tuple(name for name in by if name not in KIND_COLUMNS)
        sheets.append(
            _Sheet(
                title="Surrogate against dense",
                group_names=(*kept, "setting", "formulation"),
                name="surrogate",
                columns=_SURROGATES,
                rows=tuple(_surrogate_row(by, kept, row) for row in leaderboard.surrogates),
                legend=_SURROGATES_LEGEND,
            )
        )
    return sheets


def _setting_row(by: tuple[str, ...], row: SettingRow, cells: tuple[str, ...]) -> _Row:
    groups = tuple(_group_text(value) for value in row.group)
    name = (WRONG_MARK if row.below_line else "") + plain(row.setting.label)
    return _Row(_section(by, groups), groups, name, cells, row.below_line)


def _answers(row: SettingRow) -> tuple[str, ...]:
    counts = (row.runs, row.solved, row.counterexamples, row.robust_claimed, row.timeouts, row.memory, row.errors)
    return tuple(str(count) for count in (*counts, row.license_limit, row.wrong))


def _times(row: SettingRow) -> tuple[str, ...]:
    seconds = (row.sgm1_seconds, row.sgm10_seconds, row.par10_seconds, row.median_first_counterexample_seconds)
    return (str(row.common_runs), str(row.common_solved), *(format_number(value) for value in seconds))


def _surrogate_row(by: tuple[str, ...], kept: tuple[str, ...], row: SurrogateRow) -> _Row:
    groups = tuple(_group_text(value) for name, value in zip(by, row.group, strict=True) if name in kept)
    who = (plain(row.setting.label), _group_text(row.formulation))
    kind = [_group_text(row.pruning), _group_text(row.structure), _group_text(row.rate)]
    counts = (row.problems, row.left_out, row.dense_counterexamples, row.surrogate_counterexamples)
    return _Row(
        section=", ".join(part for part in (_section(kept, groups), " ".join(who)) if part),
        groups=(*groups, *who),
        name=" ".join([*kind, *(["ft"] if row.finetuned else [])]),
        cells=(
            *(str(count) for count in counts),
            format_percent(row.surrogate_faster),
            format_percent(row.dense_faster),
            format_number(row.time_ratio),
        ),
    )


def _section(by: tuple[str, ...], groups: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(by, groups, strict=True))


def _group_text(value: object) -> str:
    if value is None:
        return NONE
    return f"{value:g}" if isinstance(value, float) else plain(value)


def _notes(leaderboard: Leaderboard) -> list[str]:
    """What a reader must know beside the tables, a line each."""
    notes = [_common_note(leaderboard.common)]
    if leaderboard.machines > 1:
        notes.append(f"The runs come from {leaderboard.machines} machines: their times are not comparable.")
    tolerance = sum(row.tolerance for row in leaderboard.settings)
    if tolerance:
        notes.append(f"{tolerance} of {leaderboard.runs} runs deviate within tolerance: nobody's fault.")
    return notes


def _common_note(common: Iterable[CommonSet]) -> str:
    sets = list(common)
    inside, total = sum(s.common for s in sets), sum(s.pairs for s in sets)
    within = " of its group" if len(sets) > 1 else ""
    note = f"Times: over the {inside} of {total} instance-seed pairs that every setting{within} ran"
    refused, missing = sum(s.refused for s in sets), sum(s.not_run_by_all for s in sets)
    out = [f"{refused} refused or interrupted"] if refused else []
    out += [f"{missing} not run by all"] if missing else []
    absent = sorted({plain(label) for s in sets for label in s.not_compared})
    out += [f"refused everything{within}: {', '.join(absent)}"] if absent else []
    return note + (f"; left out: {'; '.join(out)}." if out else ".")


# -- terminal --------------------------------------------------------------------------------------------------------


def _terminal(leaderboard: Leaderboard, width: int) -> Group:
    if not leaderboard.settings:
        return Group(Text("No runs in this ledger."))
    parts: list[RenderableType] = []
    for sheet in _sheets(leaderboard):
        parts += [
            Text(sheet.title, style="bold"),
            *_terminal_sheet(sheet, width),
            Text(sheet.legend, style="dim"),
            Text(""),
        ]
    parts += [Text(note) for note in _notes(leaderboard)]
    if leaderboard.faults:
        parts += [Text(""), *_terminal_faults(leaderboard.faults)]
    return Group(*parts)


def _terminal_sheet(sheet: _Sheet, width: int) -> list[RenderableType]:
    """Header, then one aligned table per section: a rich table has no row that spans its columns."""
    widths = [
        max(map(cell_len, column)) for column in zip(sheet.columns, *(row.cells for row in sheet.rows), strict=True)
    ]
    longest = max(cell_len(name) for name in (sheet.name, *(row.name for row in sheet.rows)))
    name_width = max(min(longest, width - sum(widths) - _GAP * len(widths)), 10)

    def table(rows: Iterable[_Row], header: bool = False) -> Table:
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
    if not leaderboard.settings:
        return "No runs in this ledger.\n"
    lines: list[str] = []
    for sheet in _sheets(leaderboard):
        names = [*sheet.group_names, sheet.name]
        rows = [[*row.groups, row.name, *row.cells] for row in sheet.rows]
        lines += [f"### {sheet.title}", "", *markdown_table(names, sheet.columns, rows), "", sheet.legend, ""]
    lines += [f"{markdown_text(note)}\n" for note in _notes(leaderboard)]
    if leaderboard.faults:
        lines += ["### Wrong answers", "", "| run | setting | instance | fault | reason |", "|" + " --- |" * 5]
        lines += [
            markdown_row([plain(text) for text in (f.run, f.setting, f.instance, f.fault, f.fault_reason)])
            for f in leaderboard.faults
        ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _csv(leaderboard: Leaderboard) -> str:
    names = list(_setting_record(leaderboard.by, None))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in leaderboard.settings:
        record = _setting_record(leaderboard.by, row)
        writer.writerow({name: int(value) if isinstance(value, bool) else value for name, value in record.items()})
    return text.getvalue()


def _json(leaderboard: Leaderboard) -> str:
    by = leaderboard.by
    document = {
        "settings": [_setting_record(by, row) | {"settings": options_of(row.setting)} for row in leaderboard.settings],
        "surrogates": [
            {"setting": row.setting.label} | dict(zip(by, row.group, strict=True)) | _fields(row, "group", "setting")
            for row in leaderboard.surrogates
        ],
        "faults": [asdict(row) for row in leaderboard.faults],
        "common": [dict(zip(by, row.group, strict=True)) | _fields(row, "group") for row in leaderboard.common],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _setting_record(by: tuple[str, ...], row: SettingRow | None) -> dict[str, object]:
    """The stable long names, in order, with the values of a row (None: of none, for the names alone)."""
    names = [*_SETTING_FIELDS, *by, *_ROW_FIELDS]
    if row is None:
        return dict.fromkeys(names)
    setting = asdict(row.setting)
    setting["setting"] = setting.pop("label")
    record = setting | dict(zip(by, row.group, strict=True)) | _fields(row, "group", "setting")
    return {name: record[name] for name in names}


def _fields(row: SettingRow | SurrogateRow | CommonSet, *without: str) -> dict[str, object]:
    return {name: value for name, value in asdict(row).items() if name not in without}


_SETTING_FIELDS = (
    "setting", "solver", "solver_version", "settings", "threads", "time_limit_seconds", "memory_limit_bytes", "goal"
)  # fmt: skip
_ROW_FIELDS = tuple(name for name in SettingRow.__dataclass_fields__ if name not in ("group", "setting"))
