"""The columns of the tables that compare surrogates with dense networks, and approaches on problems.

Their rows are a `SurrogateRow`, a `SurrogateValueRow`, a `SizeRow` or an `ApproachRow`. The columns are entries of
`columns.COLUMNS`; the docstring of that module says how to add one.
"""

from __future__ import annotations

from functools import partial

from vnnbench.leaderboard.ranking.column_form import Column, Row, Shown, Table
from vnnbench.leaderboard.text import NONE, format_count, format_number, format_percent

_Share = partial(Column, text=format_percent)
_Ratio = partial(Column, text=format_number)


def _candidates(row: Row) -> str:
    return NONE if row.uncounted == row.pairs else format_count(row.candidates)


_PAIRS = (
    "compared pairs of runs: the same problem, seed, permutation, setting and formulation, on the dense network and on "
    "a surrogate"
)
_PAIRS_ON_PAGES = "pairs of runs with the same problem, seed and setting, on the dense network and on a surrogate"
_LEFT = "pairs (of one seed and permutation) left out because one side is missing or was refused"
_FOUND = "pairs in which the dense run, the surrogate run found a counterexample to the dense network"
_FASTER = (
    "share of pairs in which the surrogate run's first counterexample came sooner, later than the dense run's; a run "
    "without one counts as its time limit, a tie counts for neither (Pham et al.)"
)
_CANDIDATES = (
    "candidates within the time limit that are counterexamples to the surrogate in exact arithmetic, each counted once "
    "per run; the share of these that are counterexamples to the dense network too. All other candidates are judged as "
    "well, and may be counterexamples to the dense network alone"
)
_TIMED = "pairs with recorded times of bounding, pruning and finetuning, as far as these were done"
_PREPARED = "faster, slower and speed-up with the times of bounding, pruning and finetuning added"
_VALUES = "pairs in which the dense run, the surrogate run has a confirmed value of the dense network"
_BETTER = (
    "share of pairs where the surrogate run's best value of the dense network is larger, smaller than the dense run's "
    "by more than 1e-6 max(1, |value|); a run without a value counts as less than every value"
)

SURROGATE_COLUMNS = (
    Column(
        "pairs", "pairs", _PAIRS,
        {
            Table.SURROGATES: Shown(about=""),
            Table.SITE_SURROGATES: Shown(about=_PAIRS_ON_PAGES),
            Table.SITE_SIZES: Shown(about=""),
        },
    ),
    Column("left_out", "left", _LEFT, {Table.SURROGATES: Shown(late=True, brief="left: pairs left out.")}),
    Column(
        "dense_counterexamples", "dense", _FOUND,
        {
            Table.SURROGATES: Shown(about="dense, surr.: pairs in which that side found a counterexample."),
            Table.SITE_SURROGATES: Shown(about="pairs in which the dense run found a counterexample"),
        },
    ),
    Column(
        "surrogate_counterexamples", "surr.", _FOUND,
        {
            Table.SURROGATES: Shown(about=""),
            Table.SITE_SURROGATES: Shown(
                "surrogate", "pairs in which the surrogate run found a counterexample to the dense network"
            ),
        },
    ),
    _Share(
        "surrogate_faster", "faster", _FASTER,
        {
            Table.SURROGATES: Shown(
                about="faster, slower: share of pairs where the surrogate run found its first one sooner, later; a run "
                "without one counts as its time limit, a tie counts for neither.",
                brief="faster, slower: share of pairs where the surrogate run found its first one sooner, later.",
            ),
            Table.SITE_SURROGATES: Shown(
                about="share of pairs where the surrogate run found its first counterexample sooner"
            ),
            Table.SITE_SIZES: Shown(
                about="faster, slower: share of pairs where the surrogate run found its first counterexample sooner, "
                "later."
            ),
        },
    ),
    _Share(
        "dense_faster", "slower", _FASTER,
        {
            Table.SURROGATES: Shown(about=""),
            Table.SITE_SURROGATES: Shown(
                about="share of pairs where the surrogate run found its first counterexample later; a tie counts for "
                "neither"
            ),
            Table.SITE_SIZES: Shown(about=""),
        },
    ),
    _Ratio(
        "time_ratio", "speed-up", "dense time divided by surrogate time, geometric mean over the pairs",
        {
            Table.SURROGATES: Shown(brief="speed-up: dense time divided by surrogate time."),
            Table.SITE_SURROGATES: Shown(
                about="dense time divided by surrogate time, geometric mean; above 1 the surrogate is faster"
            ),
            Table.SITE_SIZES: Shown(),
        },
    ),
    Column(
        "candidates", "cand.", _CANDIDATES,
        {
            table: Shown(about="cand.: candidates that are counterexamples to the surrogate;")
            for table in (Table.PREPARATION, Table.SITE_SIZES)
        },
        cell=_candidates,
    ),
    Column("transferred", "", "number of these candidates that are counterexamples to the dense network too"),
    _Share(
        "transfer_share", "transf", _CANDIDATES,
        {
            table: Shown(about="transf: share of these that also are to the dense network (others may be).")
            for table in (Table.PREPARATION, Table.SITE_SIZES)
        },
    ),
    Column("uncounted", "", "surrogate runs judged by an earlier version, which did not count candidates"),
    Column(
        "prepared", "timed", _TIMED, {Table.PREPARATION: Shown(about=f"timed: {_TIMED};")},
    ),
    _Share(
        "prepared_surrogate_faster", "faster", _PREPARED,
        {Table.PREPARATION: Shown(about="faster, slower, speed-up: as above, with these times added.")},
    ),
    _Share("prepared_dense_faster", "slower", _PREPARED, {Table.PREPARATION: Shown(about="")}),
    _Ratio("prepared_time_ratio", "speed-up", _PREPARED, {Table.PREPARATION: Shown(about="")}),
    Column(
        "best_rate", "best", "marks the pruning rate with the largest speed-up of its kind, if that is above 1",
        {Table.PREPARATION: Shown(about="best: of each kind, the rate with the largest speed-up, if above 1.")},
        text=lambda is_best: "*" if is_best else "",
    ),
)  # fmt: skip
"""Columns of `SurrogateRow`; those with `Table.SITE_SIZES` are also columns of `SizeRow`."""

SURROGATE_VALUE_COLUMNS = (
    Column(
        "pairs", "pairs", _PAIRS,
        {
            Table.SURROGATE_VALUES: Shown(about=""),
            Table.SITE_SURROGATE_VALUES: Shown(about=_PAIRS_ON_PAGES),
        },
    ),
    Column("left_out", "left", _LEFT, {Table.SURROGATE_VALUES: Shown(late=True, brief="left: pairs left out.")}),
    Column(
        "dense_values", "dense", _VALUES,
        {
            Table.SURROGATE_VALUES: Shown(about="dense, surr.: pairs in which that side has a confirmed value."),
            Table.SITE_SURROGATE_VALUES: Shown(about="pairs in which the dense run has a confirmed value"),
        },
    ),
    Column(
        "surrogate_values", "surr.", _VALUES,
        {
            Table.SURROGATE_VALUES: Shown(about=""),
            Table.SITE_SURROGATE_VALUES: Shown(
                "surrogate", "pairs in which the surrogate run has a confirmed value of the dense network"
            ),
        },
    ),
    _Share(
        "surrogate_better", "better", _BETTER,
        {
            Table.SURROGATE_VALUES: Shown(
                about=f"better, worse: {_BETTER}.",
                brief="better, worse: share of pairs where the surrogate run's best value is larger, smaller.",
            ),
            Table.SITE_SURROGATE_VALUES: Shown(about="share of pairs where the surrogate run's best value is larger"),
        },
    ),
    _Share(
        "dense_better", "worse", _BETTER,
        {
            Table.SURROGATE_VALUES: Shown(about=""),
            Table.SITE_SURROGATE_VALUES: Shown(about="share of pairs where the surrogate run's best value is smaller"),
        },
    ),
)  # fmt: skip

APPROACH_COLUMNS = (
    Column(
        "rank", "rank",
        "1 + the number of approaches that found more counterexamples, or as many with a smaller sgm1; none for what "
        "is beside the ranking",
        {
            Table.APPROACHES: Shown(
                about="rank: by found, then by sgm1, the geometric mean, shifted by 1 s, of the seconds to the first "
                "counterexample of the dense network, with the preparation of the file: bounding, pruning, finetuning. "
                "Nothing found counts as the time limit.",
                brief="rank: by found, then by sgm1: geometric mean, shifted by 1 s, of the seconds to prepare the "
                "file and to find the first counterexample; nothing found counts as the limit.",
            )
        },
        text=lambda rank: NONE if rank is None else str(rank),
    ),
    Column(
        "problems", "", "problems, with each seed and permutation, that every ranked approach ran",
    ),
    Column(
        "found", "found", "those with a counterexample, confirmed in exact arithmetic",
        {
            Table.APPROACHES: Shown(
                about="found: of the problems, with each seed, that every approach ran; one that ran fewer than half "
                "as many as another is left out.",
                brief="found: of the problems that all ran (who ran fewer than half is left out).",
            )
        },
        cell=lambda row: f"{row.found} of {row.problems}",
    ),
    Column(
        "robust", "",
        "problems that are robust by a run's claim, which nothing refutes, or by a checked proof: there is no "
        "counterexample to find",
    ),
    Column("refused", "", "problems left out, because a ranked approach was refused by its licence or interrupted"),
    Column("not_run_by_all", "", "further problems left out, because not every ranked approach ran them"),
    _Share("share", "share", "found over problems", {Table.APPROACHES: Shown(about="")}, exported=False),
    Column(
        "sgm1_seconds", "sgm1",
        "shifted geometric mean, shift 1 s, of the seconds of preparation and to the first counterexample; where none "
        "was found, the time limit, the shortest of those compared",
        {Table.APPROACHES: Shown(about="")},
        unit="s", text=format_number,
    ),
    Column("unprepared", "", "runs whose time of preparation was not recorded, and counts as 0"),
    Column("is_reference", "", "true for what runs beside the solvers, and is not ranked"),
    Column(
        "is_oracle", "", "true for the best of several rates on each problem, as if the best were known before; "
        "only where that is better than each rate",
    ),
    Column("below_line", "", "true if the setting gave a wrong answer anywhere, and therefore has no rank"),
)  # fmt: skip
