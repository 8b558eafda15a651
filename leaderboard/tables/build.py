"""What the leaderboard shows, as sheets of text: titles, columns, rows, legends. How they are printed: `render`.

Names out of a ledger are anyone's: they become plain text, whatever markup or control characters they hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from vnnbench.leaderboard.ranking.leaderboard import Leaderboard, SettingRow
from vnnbench.leaderboard.ranking.outcomes import GOAL, OPTIMIZE
from vnnbench.leaderboard.ranking.ranks import MEASURES, RankRow
from vnnbench.leaderboard.ranking.reference import ReferenceRow
from vnnbench.leaderboard.ranking.surrogate_pairs import KIND_COLUMNS
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.surrogate_values import SurrogateValueRow
from vnnbench.leaderboard.ranking.tolerance import TOLERANCES, SensitivityRow
from vnnbench.leaderboard.records.settings import Setting
from vnnbench.leaderboard.text import plain

_T = TypeVar("_T")
NONE = "–"
WRONG_MARK = "✗ "

_ANSWERS = ("runs", "solved", "cex", "robust", "spent", "time", "mem", "err", "lic", "wrong")
_VALUES_PLACE = _ANSWERS.index("robust") + 1
_ANSWERS_LEGEND = (
    "cex: a counterexample, confirmed exactly on the dense network. robust: claimed by the solver; a surrogate's run "
    "never is. Both within the time limit: what came later counts as time. spent: the file solved to its end, "
    "without an answer. time, mem: stopped by that limit. err: failed. lic: refused by its licence. wrong: refuted; "
    "puts the setting below the line."
)
_VALUES_LEGEND = (
    " value: of a problem without a threshold, one confirmed exactly on the dense network within the time limit; "
    "solved there: the optimum."
)
_OTHER_PLACE = _ANSWERS.index("wrong")
_OTHER_LEGEND = " other: ended by another limit (nodes, output), by the operator, or without an answer."
_CERTIFIED_PLACE = _ANSWERS.index("robust") + 1
_CERTIFIED_LEGEND = " cert: of the robust ones, those with a checked proof."
_TIMES = ("rank", "95%", "solved", "sgm10", "ratio", "PAR10", "alone", "first", "primal")
_TIMES_LEGEND = (
    "rank: by sgm10, the geometric mean of seconds shifted by 10 s, an unsolved run, spent or not, counting as its "
    "time limit; 95%: of the rank, from bootstrap samples of the problems. solved: of the runs that all made. ratio: "
    "of sgm10 to the best. PAR10: mean, unsolved counting as ten times the limit. alone: solved by no other setting. "
    "first: median time to the first counterexample, where there is one. primal: mean primal integral, time weighted "
    "by the gap of the best verified candidate so far to the best known. virtual best: the fastest setting of every "
    "run."
)
_NO_INTERVAL_LEGEND = f" 95% {NONE}: over a single problem there is none."
_VIRTUAL_BEST = "virtual best"
_RANKS = {
    "sgm10": ("sgm10",),
    "sgm1": ("sgm1",),
    "sgm100": ("sgm100",),
    "PAR2": ("par2",),
    "PAR10": ("par10",),
    "solved": ("solved",),
    "easy": ("solved_by_all",),
    "ended": ("ended",),
    "tolerance": tuple(name for name in MEASURES if name.startswith(("as_given", "repaired"))),
}
FLIP = "!"
_RANKS_LEGEND = (
    "Ranks by other shifts, by PAR, by the number solved, over what all ranked settings solved (easy), with the time "
    "of spent runs in place of their limit (ended), and with counterexamples counting at tolerances from 0 to 1e-4, as "
    "given and repaired. !: not the rank by sgm10."
)
_REFERENCE = ("runs", "cex", "alone", "missed", "err", "first")
_REFERENCE_LEGEND = (
    "An attack by projected gradient ascent, judged like the solvers; it proves nothing and is not ranked. alone: on "
    "an instance where solvers ran and none has a counterexample. missed: none, where a solver has one. first: median "
    "time to the first counterexample, where there is one."
)
_TOLERANCES = ("runs", *TOLERANCES)
_TOLERANCES_LEGEND = (
    "Runs with a counterexample within the time limit if a candidate may lie so far outside the input set: as given, "
    "and evaluated there, or repaired into the set first. The other tables repair, within 1e-5. runs: with a "
    "threshold, and measured."
)
_SURROGATES = ("pairs", "left", "dense", "surr.", "faster", "slower", "ratio")
_SURROGATES_LEGEND = (
    "dense, surr.: counterexamples found through each. faster, slower: share of pairs where the surrogate run found "
    "its first one sooner, later; none found counts as the time limit, ties as neither. ratio: dense over surrogate "
    "time, geometric mean. left: pairs (of one seed and permutation) left out, one side missing or refused. ft: "
    "finetuned."
)
_PREPARATION = ("cand.", "transf", "timed", "faster", "slower", "ratio", "best")
_PREPARATION_LEGEND = (
    "cand.: candidates that are counterexamples to the surrogate; transf: share of these that are to the dense "
    "network too (others may be). timed: pairs of which it is known how long bounding, pruning and finetuning took, "
    "where there was any; "
    "faster, slower, ratio: as above, with these times added. best: the rate with the largest ratio above."
)
_SURROGATE_VALUES = ("pairs", "left", "dense", "surr.", "better", "worse")
_SURROGATE_VALUES_LEGEND = (
    "dense, surr.: runs with a confirmed value. better, worse: share of pairs where the surrogate run's best value of "
    "the dense network is larger, smaller than the dense run's by more than 1e-6 max(1, |value|); none is less than "
    "any. left: pairs (of one seed and permutation) left out, one side missing or refused. ft: finetuned."
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
    """The tables, those about surrogates only where there are any, that about tolerance where it changes something."""
    by, rows = leaderboard.by, leaderboard.settings
    sheets = [
        _answers_sheet(by, rows),
        Sheet("Times", by, "setting", _TIMES, tuple(_time_rows(leaderboard)), _times_legend(rows)),
    ]
    if not rows:
        sheets = []
    if any(row.flips for row in leaderboard.ranks):
        ranked = tuple(
            Row(describe_group(by, row.group), _group_texts(row.group), name_within(by, row.setting), _ranks(row))
            for row in leaderboard.ranks
        )
        sheets.append(Sheet("Ranks by other measures", by, "setting", tuple(_RANKS), ranked, _RANKS_LEGEND))
    if leaderboard.reference:
        sheets.append(_reference_sheet(by, leaderboard.reference))
    if any(row.depends for row in leaderboard.sensitivity):
        tolerances = tuple(row for own in leaderboard.sensitivity for row in _tolerance_rows(by, own))
        title, head = "How much is tolerance", (*beside_label(by, by), "setting")
        sheets.append(Sheet(title, head, "candidates", _TOLERANCES, tolerances, _TOLERANCES_LEGEND))
    groups = (*_beside_kind(by, by), "setting", "formulation")
    if leaderboard.surrogates:
        found = tuple(_surrogate_row(by, row, _surrogate_times(row)) for row in leaderboard.surrogates)
        sheets.append(
            Sheet("Surrogate against dense", groups, "surrogate", _SURROGATES, _together(found), _SURROGATES_LEGEND)
        )
        prepared = tuple(_surrogate_row(by, row, _preparation(row)) for row in leaderboard.surrogates)
        title = "Surrogates: transfer and preparation"
        sheets.append(Sheet(title, groups, "surrogate", _PREPARATION, _together(prepared), _PREPARATION_LEGEND))
    if leaderboard.surrogate_values:
        values = tuple(_surrogate_row(by, row, _surrogate_values(row)) for row in leaderboard.surrogate_values)
        title = "Values: surrogate against dense"
        sheets.append(Sheet(title, groups, "surrogate", _SURROGATE_VALUES, _together(values), _SURROGATE_VALUES_LEGEND))
    return sheets


def _together(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows of one section stand together: groups that are not said, such as the rate, would tear it apart."""
    sections = list(dict.fromkeys(row.section for row in rows))
    return tuple(sorted(rows, key=lambda row: sections.index(row.section)))


def _answers_sheet(by: tuple[str, ...], rows: Sequence[SettingRow]) -> Sheet:
    """Values have a column where there are any: most ledgers ask only for counterexamples. So have other endings."""
    columns: tuple[str, ...] = _ANSWERS
    cells = [_answers(row) for row in rows]
    legend = f"solved: {solved_means(rows)}. {_ANSWERS_LEGEND}"
    if any(row.other for row in rows):
        columns = _with(columns, _OTHER_PLACE, "other")
        cells = [_with(own, _OTHER_PLACE, str(row.other)) for own, row in zip(cells, rows, strict=True)]
        legend += _OTHER_LEGEND
    if any(row.values for row in rows):
        columns = _with(columns, _VALUES_PLACE, "value")
        cells = [_with(own, _VALUES_PLACE, str(row.values)) for own, row in zip(cells, rows, strict=True)]
        legend += _VALUES_LEGEND
    if any(row.robust_certified for row in rows):
        columns = _with(columns, _CERTIFIED_PLACE, "cert")
        cells = [_with(own, _CERTIFIED_PLACE, str(row.robust_certified)) for own, row in zip(cells, rows, strict=True)]
        legend += _CERTIFIED_LEGEND
    named = tuple(_setting_row(by, row, own) for row, own in zip(rows, cells, strict=True))
    return Sheet("Answers", by, "setting", columns, named, legend)


def solved_means(rows: Sequence[SettingRow]) -> str:
    """Of these settings, in words."""
    asked = any(row.setting.goal == OPTIMIZE for row in rows)
    return "cex or robust" + ("; with goal optimize, proved optimal too" if asked else "")


def _with(cells: tuple[str, ...], place: int, cell: str) -> tuple[str, ...]:
    return (*cells[:place], cell, *cells[place:])


def _times_legend(rows: Sequence[SettingRow]) -> str:
    """Why a ranked setting has no interval is said only where there is one: most ledgers have many problems."""
    return _TIMES_LEGEND + (_NO_INTERVAL_LEGEND if any(row.lacks_interval for row in rows) else "")


def _time_rows(leaderboard: Leaderboard) -> Iterator[Row]:
    """The virtual best setting of a group stands below the ranked ones."""
    best = {row.group: row for row in leaderboard.virtual_best}
    for group, own in groupby(leaderboard.settings, key=lambda row: row.group):
        rows = list(own)
        yield from (_setting_row(leaderboard.by, row, _times(row)) for row in rows if not row.below_line)
        if group in best:
            found = best[group]
            numbers = (format_number(n) for n in (found.sgm10_seconds, found.sgm10_ratio, found.par10_seconds))
            cells = (NONE, NONE, str(found.common_solved), *numbers, NONE, NONE, NONE)
            yield Row(describe_group(leaderboard.by, group), _group_texts(group), _VIRTUAL_BEST, cells)
        yield from (_setting_row(leaderboard.by, row, _times(row)) for row in rows if row.below_line)


def _setting_row(by: tuple[str, ...], row: SettingRow, cells: tuple[str, ...]) -> Row:
    name = (WRONG_MARK if row.below_line else "") + name_within(by, row.setting)
    return Row(describe_group(by, row.group), _group_texts(row.group), name, cells, row.below_line)


def _answers(row: SettingRow) -> tuple[str, ...]:
    robust = row.robust_certified + row.robust_claimed
    counts = (row.runs, row.solved, row.counterexamples, robust, row.spent, row.timeouts, row.memory, row.errors)
    return tuple(str(count) for count in (*counts, row.license_limit, row.wrong))


def _times(row: SettingRow) -> tuple[str, ...]:
    numbers = (row.sgm10_seconds, row.sgm10_ratio, row.par10_seconds)
    later = (row.median_first_counterexample_seconds, row.primal_integral_seconds)
    return (
        _or_none(row.rank),
        interval_text(row.rank_low, row.rank_high),
        str(row.common_solved),
        *(format_number(number) for number in numbers),
        _or_none(row.alone),
        *(format_number(number) for number in later),
    )


def _ranks(row: RankRow) -> tuple[str, ...]:
    found = ([row.by_measure[name] for name in names] for names in _RANKS.values())
    return tuple(_range_text([rank for rank in ranks if rank is not None], row.rank) for ranks in found)


def _range_text(ranks: Sequence[int], own: int) -> str:
    if not ranks:
        return NONE
    return interval_text(min(ranks), max(ranks)) + (FLIP if set(ranks) != {own} else "")


def interval_text(low: int | None, high: int | None) -> str:
    """Such as 1-3, or 2 where both ends are the same."""
    return _or_none(low) if low == high else f"{low}-{high}"


def _or_none(number: int | None) -> str:
    return NONE if number is None else str(number)


def _reference_sheet(by: tuple[str, ...], rows: Sequence[ReferenceRow]) -> Sheet:
    """Values have a column where there are any, like those of the solvers."""
    columns: tuple[str, ...] = _REFERENCE
    has_values = any(row.values for row in rows)
    named = []
    for row in rows:
        counts = (row.runs, row.counterexamples, *([row.values] if has_values else []))
        cells = (*map(str, (*counts, row.alone, row.missed, row.errors)),
                 format_number(row.median_first_counterexample_seconds))  # fmt: skip
        named.append(Row(describe_group(by, row.group), _group_texts(row.group), name_within(by, row.setting), cells))
    if has_values:
        columns = (*columns[:2], "value", *columns[2:])
    return Sheet("Reference, not ranked", by, "setting", columns, tuple(named), _REFERENCE_LEGEND)


def _tolerance_rows(by: tuple[str, ...], row: SensitivityRow) -> Iterator[Row]:
    names, group, label = beside_label(by, by), beside_label(by, row.group), plain(row.setting.label)
    section = ", ".join(part for part in (describe_group(names, group), label) if part)
    for name, counts in (("as given", row.as_given), ("repaired", row.repaired)):
        cells = tuple(map(str, (row.runs - row.unmeasured, *counts.values())))
        yield Row(section, (*_group_texts(group), label), name, cells)


def _surrogate_times(row: SurrogateRow) -> tuple[str, ...]:
    counts = (row.pairs, row.left_out, row.dense_counterexamples, row.surrogate_counterexamples)
    shares = (format_percent(row.surrogate_faster), format_percent(row.dense_faster))
    return (*map(str, counts), *shares, format_number(row.time_ratio))


def _preparation(row: SurrogateRow) -> tuple[str, ...]:
    shares = (format_percent(row.prepared_surrogate_faster), format_percent(row.prepared_dense_faster))
    candidates = NONE if row.uncounted == row.pairs else str(row.candidates)
    numbers = (candidates, format_percent(row.transfer_share), _or_none(row.prepared))
    return (*numbers, *shares, format_number(row.prepared_time_ratio), "*" if row.best_rate else "")


def _surrogate_values(row: SurrogateValueRow) -> tuple[str, ...]:
    counts = (row.pairs, row.left_out, row.dense_values, row.surrogate_values)
    return (*map(str, counts), format_percent(row.surrogate_better), format_percent(row.dense_better))


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


def format_percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.0f}%"


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
