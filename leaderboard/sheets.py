"""What the leaderboard shows, as sheets of text: titles, columns, rows, legends. How they are printed is `tables`'.

Names out of a ledger are anyone's: they become plain text, whatever markup or control characters they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leaderboard.pairs import KIND_COLUMNS
from leaderboard.ranking import CommonSet, Leaderboard, SettingRow
from leaderboard.surrogate_values import SurrogateValueRow
from leaderboard.surrogates import SurrogateRow

NONE = "–"
WRONG_MARK = "✗ "

_ANSWERS = ("runs", "solved", "cex", "robust", "time", "mem", "err", "lic", "wrong")
_VALUES_PLACE = _ANSWERS.index("robust") + 1
_ANSWERS_LEGEND = (
    "solved: cex or robust. cex: a counterexample, confirmed exactly on the dense network. robust: claimed by the "
    "solver; a surrogate's run never is. time, mem: stopped by that limit. err: failed. lic: refused by its licence. "
    "wrong: refuted; puts the setting below the line."
)
_VALUES_LEGEND = (
    " value: of a problem without a threshold, one confirmed exactly on the dense network; solved there: the optimum."
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
_SURROGATE_VALUES = ("pairs", "left", "dense", "surr.", "better", "worse")
_SURROGATE_VALUES_LEGEND = (
    "dense, surr.: runs with a confirmed value. better, worse: share of pairs where the surrogate run's best value of "
    "the dense network is larger, smaller than the dense run's by more than 1e-6 max(1, |value|); none is less than "
    "any. left: pairs left out, one side missing or refused. ft: finetuned."
)


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
    """The tables, those about surrogates only where there are any."""
    by, rows = leaderboard.by, leaderboard.settings
    sheets = [
        _answers_sheet(by, rows),
        Sheet("Times", by, "setting", _TIMES, tuple(_setting_row(by, r, _times(r)) for r in rows), _TIMES_LEGEND),
    ]
    # What tells the kinds of surrogates apart anyway need not be said twice.
    kept = tuple(name for name in by if name not in KIND_COLUMNS)
    groups = (*kept, "setting", "formulation")
    if leaderboard.surrogates:
        found = tuple(_surrogate_row(by, kept, row, _surrogate_times(row)) for row in leaderboard.surrogates)
        sheets.append(
            Sheet("Surrogate against dense", groups, "surrogate", _SURROGATES, _together(found), _SURROGATES_LEGEND)
        )
    if leaderboard.surrogate_values:
        values = tuple(_surrogate_row(by, kept, row, _surrogate_values(row)) for row in leaderboard.surrogate_values)
        title = "Values: surrogate against dense"
        sheets.append(Sheet(title, groups, "surrogate", _SURROGATE_VALUES, _together(values), _SURROGATE_VALUES_LEGEND))
    return sheets


def _together(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows of one section stand together: groups that are not said, such as the rate, would tear it apart."""
    sections = list(dict.fromkeys(row.section for row in rows))
    return tuple(sorted(rows, key=lambda row: sections.index(row.section)))


def _answers_sheet(by: tuple[str, ...], rows: Sequence[SettingRow]) -> Sheet:
    """Values have a column where there are any: most ledgers ask only for counterexamples."""
    columns: tuple[str, ...] = _ANSWERS
    cells, legend = [_answers(row) for row in rows], _ANSWERS_LEGEND
    if any(row.values for row in rows):
        columns = _with_values(columns, "value")
        cells = [_with_values(own, str(row.values)) for own, row in zip(cells, rows, strict=True)]
        legend += _VALUES_LEGEND
    named = tuple(_setting_row(by, row, own) for row, own in zip(rows, cells, strict=True))
    return Sheet("Answers", by, "setting", columns, named, legend)


def _with_values(cells: tuple[str, ...], cell: str) -> tuple[str, ...]:
    return (*cells[:_VALUES_PLACE], cell, *cells[_VALUES_PLACE:])


def _setting_row(by: tuple[str, ...], row: SettingRow, cells: tuple[str, ...]) -> Row:
    groups = tuple(_group_text(value) for value in row.group)
    name = (WRONG_MARK if row.below_line else "") + plain(row.setting.label)
    return Row(_section(by, groups), groups, name, cells, row.below_line)


def _answers(row: SettingRow) -> tuple[str, ...]:
    counts = (row.runs, row.solved, row.counterexamples, row.robust_claimed, row.timeouts, row.memory, row.errors)
    return tuple(str(count) for count in (*counts, row.license_limit, row.wrong))


def _times(row: SettingRow) -> tuple[str, ...]:
    seconds = (row.sgm1_seconds, row.sgm10_seconds, row.par10_seconds, row.median_first_counterexample_seconds)
    return (str(row.common_runs), str(row.common_solved), *(format_number(value) for value in seconds))


def _surrogate_times(row: SurrogateRow) -> tuple[str, ...]:
    counts = (row.problems, row.left_out, row.dense_counterexamples, row.surrogate_counterexamples)
    shares = (format_percent(row.surrogate_faster), format_percent(row.dense_faster))
    return (*map(str, counts), *shares, format_number(row.time_ratio))


def _surrogate_values(row: SurrogateValueRow) -> tuple[str, ...]:
    counts = (row.problems, row.left_out, row.dense_values, row.surrogate_values)
    return (*map(str, counts), format_percent(row.surrogate_better), format_percent(row.dense_better))


def _surrogate_row(
    by: tuple[str, ...], kept: tuple[str, ...], row: SurrogateRow | SurrogateValueRow, cells: tuple[str, ...]
) -> Row:
    groups = tuple(_group_text(value) for name, value in zip(by, row.group, strict=True) if name in kept)
    who = (plain(row.setting.label), _group_text(row.formulation))
    kind = [_group_text(row.pruning), _group_text(row.structure), _group_text(row.rate)]
    return Row(
        section=", ".join(part for part in (_section(kept, groups), " ".join(who)) if part),
        groups=(*groups, *who),
        name=" ".join([*kind, *(["ft"] if row.finetuned else [])]),
        cells=cells,
    )


def _section(by: tuple[str, ...], groups: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(by, groups, strict=True))


def _group_text(value: object) -> str:
    if value is None:
        return NONE
    return f"{value:g}" if isinstance(value, float) else plain(value)


def format_percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.0f}%"


def notes_on(leaderboard: Leaderboard) -> list[str]:
    """What a reader must know beside the tables, a line each."""
    notes = [_common_note(leaderboard.common)]
    if leaderboard.machines > 1:
        notes.append(f"The runs come from {leaderboard.machines} machines: their times are not comparable.")
    tolerance = sum(row.tolerance for row in leaderboard.settings)
    if tolerance:
        notes.append(f"{tolerance} of {leaderboard.runs} runs deviate within tolerance: nobody's fault.")
    if leaderboard.planted:
        runs, found, missed, undecided = (
            sum(getattr(row, name) for row in leaderboard.planted) for name in ("runs", "found", "missed", "undecided")
        )
        notes.append(
            f"Planted answers: {leaderboard.planted_problems} problems, {runs} runs: {found} found, {missed} missed "
            f"(claimed otherwise), {undecided} undecided."
        )
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


# -- words ----------------------------------------------------------------------------------------------------------


def format_number(value: float | None) -> str:
    """Three significant digits, and never fewer than the integer part has: 0.123, 12.3, 123, 1234; none is a dash."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    return f"{value:#.3g}".removesuffix(".")


def plain(text: object) -> str:
    """Text as one visible line: control, formatting and line-breaking characters become escapes such as \\x1b."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
