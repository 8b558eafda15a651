"""Tables of settings: columns with their explanations, rows as cells of text. What they say is made in `ranking`; how
they look is said by the templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from vnnbench.leaderboard.ranking.leaderboard import SettingRow
from vnnbench.leaderboard.ranking.profiles import virtual_best
from vnnbench.leaderboard.ranking.ranks import PairRow
from vnnbench.leaderboard.ranking.surrogate_sizes import SizeRow, compare_sizes
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.surrogate_values import SurrogateValueRow
from vnnbench.leaderboard.site.columns import Column, format_number
from vnnbench.leaderboard.site.content import Contents, SettingPage, SuitePage
from vnnbench.leaderboard.site.styles import Look
from vnnbench.leaderboard.site.time_matrix import Matrix
from vnnbench.leaderboard.tables.build import NONE, Row, Sheet, beside_label, format_percent, interval_text

Cells = tuple[tuple[Column, Callable[[SettingRow], str]], ...]

RANKING: Cells = (
    (Column("rank, 95 %", "interval of the rank, by bootstrap over several problems"), lambda row: _interval(row)),
    (Column("sgm10", "shifted geometric mean of seconds, shift 10 s"), lambda row: format_number(row.sgm10_seconds)),
    (Column("ratio", "sgm10, scaled to the best"), lambda row: format_number(row.sgm10_ratio)),
    (Column("solved", "counterexample confirmed, or robust, within the limit"), lambda row: str(row.solved)),
    (Column("runs", "all runs of the setting"), lambda row: str(row.runs)),
    (Column("wrong", "refuted: puts the setting below the line"), lambda row: str(row.wrong)),
    (
        Column("cex", "counterexamples within the limit, confirmed exactly on the dense network"),
        lambda row: str(row.counterexamples),
    ),
    (Column("certified", "robust within the limit, by a checked certificate"), lambda row: str(row.robust_certified)),
    (Column("robust", "claimed by the solver within the limit"), lambda row: str(row.robust_claimed)),
    (
        Column("value", "confirmed within the limit, of a problem without a threshold"),
        lambda row: str(row.values),
    ),
    (Column("spent", "file solved to its end, without an answer"), lambda row: str(row.spent)),
    (Column("timeout", "stopped by the time limit, or answered after it"), lambda row: str(row.timeouts)),
    (Column("memory", "stopped by the memory limit"), lambda row: str(row.memory)),
    (Column("failed", "ended by an error or a crash"), lambda row: str(row.errors)),
    (Column("licence", "refused by its licence"), lambda row: str(row.license_limit)),
    (
        Column("other", "ended by another limit (nodes, output), by the operator, or without an answer"),
        lambda row: str(row.other),
    ),
    (Column("PAR10", "mean seconds, unsolved counts ten limits"), lambda row: format_number(row.par10_seconds)),
    (
        Column("first", "median seconds to the first counterexample, where there is one"),
        lambda row: format_number(row.median_first_counterexample_seconds),
    ),
    (Column("primal", "mean primal integral, seconds"), lambda row: format_number(row.primal_integral_seconds)),
)
MORE: Cells = (
    (Column("common", "runs on what every setting ran"), lambda row: str(row.common_runs)),
    (Column("solved", "of these"), lambda row: str(row.common_solved)),
    (Column("sgm1", "shifted geometric mean of seconds, shift 1 s"), lambda row: format_number(row.sgm1_seconds)),
    (Column("sgm10", "the same, shift 10 s: the rank"), lambda row: format_number(row.sgm10_seconds)),
    (Column("sgm100", "the same, shift 100 s"), lambda row: format_number(row.sgm100_seconds)),
    (Column("PAR2", "mean seconds, unsolved counts two limits"), lambda row: format_number(row.par2_seconds)),
    (Column("PAR10", "mean seconds, unsolved counts ten limits"), lambda row: format_number(row.par10_seconds)),
    (
        Column("dual", "mean dual integral on dense networks, seconds; of how many runs, if not of all"),
        lambda row: _partial(row.dual_integral_seconds, row.dual_integral_runs, row),
    ),
    (Column("gap", "mean relative gap that the solver claims at the end"), lambda row: format_number(row.gap)),
    (
        Column("nodes", "shifted geometric mean, shift 100; of how many runs, if not of all"),
        lambda row: _partial(row.nodes, row.nodes_runs, row),
    ),
)
_ALWAYS = {"rank, 95 %", "runs", "solved", "wrong", "sgm10", "ratio", "PAR10"}


def _partial(mean: float | None, runs: int, row: SettingRow) -> str:
    """A mean, and over how many of the common runs it is, where that is not all of them."""
    return format_number(mean) + (f" of {runs}" if 0 < runs < row.common_runs else "")


def _interval(row: SettingRow) -> str:
    return interval_text(row.rank_low, row.rank_high).replace("-", "–") if row.rank_low is not None else NONE


@dataclass(frozen=True, slots=True)
class RankedRow:
    """rank: None below the line, and where there are no times."""

    rank: int | None
    below_line: bool
    label: str
    look: Look
    href: str
    cells: tuple[str, ...]


def ranking(
    contents: Contents, rows: Sequence[SettingRow], of: Cells = RANKING
) -> tuple[list[Column], list[RankedRow]]:
    """The settings in these columns; those of `RANKING` in which nobody has anything are left out."""
    columns = [
        column
        for column, cell in of
        if of is not RANKING or column.title in _ALWAYS or any(cell(row) not in ("0", NONE) for row in rows)
    ]
    found = []
    for row in rows:
        page = contents.page_of(row.setting)
        shown = cells(row, columns, of)
        found.append(RankedRow(row.rank, row.below_line, page.setting.label, page.look, page.href, shown))
    return columns, found


def cells(row: SettingRow, columns: Sequence[Column], of: Cells = RANKING) -> tuple[str, ...]:
    """A setting's numbers in these columns."""
    return tuple(cell(row) for column, cell in of if column in columns)


@dataclass(frozen=True, slots=True)
class PairTableRow:
    """Two settings and whether they differ."""

    faster: SettingPage
    slower: SettingPage
    cells: tuple[str, ...]
    differ: bool


def pair_rows(contents: Contents, rows: Sequence[PairRow]) -> list[PairTableRow]:
    """The paired tests."""
    return [
        PairTableRow(
            contents.page_of(row.faster), contents.page_of(row.slower),
            (str(row.problems), f"{row.p:.2g}", f"{row.p_holm:.2g}"), row.differ,
        )
        for row in rows
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ContributionRow:
    """What the fastest of all settings together lose without one."""

    label: str
    look: Look
    href: str
    cells: tuple[str, ...]


CONTRIBUTIONS = (
    Column("fastest", "runs where it is the fastest, ties included"),
    Column("alone", "runs that no other setting above the line solves"),
    Column("share", "what the virtual best loses without it: shifted geometric mean, shift 10 s"),
)


def contribution_rows(contents: Contents, rows: Sequence[SettingRow], matrix: Matrix) -> list[ContributionRow]:
    """What each setting above the line adds to the virtual best, the largest first."""
    known = [row for row in rows if row.alone is not None]
    if len(known) < 2 or not len(matrix):
        return []
    pages = [contents.page_of(row.setting) for row in known]
    times = matrix.seconds[:, [matrix.settings.index(page) for page in pages]]
    fastest = (times <= virtual_best(times)[:, None]).sum(axis=0)
    ordered = sorted(
        zip(known, pages, fastest, strict=True), key=lambda own: (-(own[0].contribution or 0.0), own[1].setting.label)
    )
    return [
        ContributionRow(
            page.setting.label, page.look, page.href, (str(count), str(row.alone), _small_percent(row.contribution))
        )
        for row, page, count in ordered
    ]


def _small_percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.2f}%"


@dataclass(frozen=True, slots=True)
class SurrogateTableRow:
    """One setting on one kind of surrogate."""

    label: str
    look: Look
    kind: str
    formulation: str
    cells: tuple[str, ...]


_PAIRS = Column("pairs", "same problem, seed and setting, on the dense network and on a surrogate")
SURROGATES: tuple[tuple[Column, Callable[[SurrogateRow], str]], ...] = (
    (_PAIRS, lambda row: str(row.pairs)),
    (Column("dense", "counterexamples found on the dense network"), lambda row: str(row.dense_counterexamples)),
    (
        Column("surrogate", "counterexamples of the dense network found through the surrogate"),
        lambda row: str(row.surrogate_counterexamples),
    ),
    (
        Column("faster", "pairs where the surrogate run found its first one sooner"),
        lambda row: format_percent(row.surrogate_faster),
    ),
    (
        Column("slower", "pairs where it found it later; ties count for neither"),
        lambda row: format_percent(row.dense_faster),
    ),
    (
        Column("ratio", "dense over surrogate time, geometric mean; above 1 the surrogate is faster"),
        lambda row: format_number(row.time_ratio),
    ),
)
SURROGATE_VALUES: tuple[tuple[Column, Callable[[SurrogateValueRow], str]], ...] = (
    (_PAIRS, lambda row: str(row.pairs)),
    (Column("dense", "runs on the dense network with a confirmed value"), lambda row: str(row.dense_values)),
    (
        Column("surrogate", "runs on the surrogate with a confirmed value of the dense network"),
        lambda row: str(row.surrogate_values),
    ),
    (
        Column("better", "pairs where the surrogate run's best value is larger"),
        lambda row: format_percent(row.surrogate_better),
    ),
    (Column("worse", "pairs where it is smaller"), lambda row: format_percent(row.dense_better)),
)

_Row = TypeVar("_Row", bound=SurrogateRow | SurrogateValueRow)


def surrogate_table(
    contents: Contents,
    by: Sequence[str],
    rows: Sequence[_Row],
    of: tuple[tuple[Column, Callable[[_Row], str]], ...],
) -> tuple[list[Column], list[SurrogateTableRow]]:
    """Dense against surrogate: by time in the columns of `SURROGATES`, by value in those of `SURROGATE_VALUES`."""
    found = []
    for row in rows:
        page = contents.page_of(row.setting)
        label = ", ".join([page.setting.label, *map(str, beside_label(by, row.group))])
        shown = tuple(cell(row) for _, cell in of)
        found.append(SurrogateTableRow(label, page.look, kind_text(row), row.formulation or NONE, shown))
    return [column for column, _ in of], found


def kind_text(row: SurrogateRow | SurrogateValueRow) -> str:
    """A kind of surrogate in words."""
    rate = None if row.rate is None else f"{row.rate:g}"
    words: tuple[str | None, ...] = (row.pruning, row.structure, rate, "finetuned" if row.finetuned else None)
    return " ".join(word for word in words if word)


_SIZE_COLUMNS = ("pairs", "faster", "slower", "ratio", "cand.", "transf")


_SIZE_LEGEND = (
    "Over all settings, formulations and kinds of pruning. faster, slower: share of pairs where the surrogate run "
    "found its first counterexample sooner, later. ratio: dense over surrogate time, geometric mean. cand.: candidates "
    "that are counterexamples to the surrogate; transf: share of these that are to the dense network too (others may "
    "be)."
)


def size_sheets(contents: Contents, suite: SuitePage) -> list[Sheet]:
    """The table, where the suite's surrogates are of several architectures."""
    rows = compare_sizes(contents.source.runs.iloc[np.sort(np.concatenate([own.rows for own in suite.by_goal]))])
    if len({(row.input_side, row.depth, row.width) for row in rows}) < 2:
        return []
    shown = tuple(
        Row("", (_architecture(row),), NONE if row.rate is None else f"{row.rate:g}", _size_cells(row)) for row in rows
    )
    return [Sheet("By size", ("architecture",), "rate", _SIZE_COLUMNS, shown, _SIZE_LEGEND)]


def _architecture(row: SizeRow) -> str:
    """Such as 28x28 4x64: the inputs, and layers x neurons."""
    side = "" if row.input_side is None else f"{row.input_side}x{row.input_side} "
    return side + (NONE if row.depth is None or row.width is None else f"{row.depth}x{row.width}")


def _size_cells(row: SizeRow) -> tuple[str, ...]:
    candidates = NONE if row.uncounted == row.pairs else str(row.candidates)
    return (
        str(row.pairs), format_percent(row.surrogate_faster), format_percent(row.dense_faster),
        format_number(row.time_ratio), candidates, format_percent(row.transfer_share),
    )  # fmt: skip
