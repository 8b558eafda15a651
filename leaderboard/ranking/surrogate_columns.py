"""The columns of tables that compare surrogates with dense networks: `SurrogateRow`, `SurrogateValueRow`, `SizeRow`.

They are entries of `columns.COLUMNS`, which says how a column is added.
"""

from __future__ import annotations

from functools import partial

from vnnbench.leaderboard.ranking.column_form import Column, Row, Shown, Table
from vnnbench.leaderboard.text import NONE, format_count, format_number, format_percent

_Share = partial(Column, text=format_percent)
_Ratio = partial(Column, text=format_number)


def _candidates(row: Row) -> str:
    return NONE if row.uncounted == row.pairs else format_count(row.candidates)


_PAIRS = "pairs that are compared: the same problem, seed, permutation, setting and formulation"
_PAIRS_ON_PAGES = "same problem, seed and setting, on the dense network and on a surrogate"
_LEFT = "pairs (of one seed and permutation) left out, one side missing or refused"
_FOUND = "counterexamples to the dense network found through each"
_FASTER = (
    "share of pairs in which the surrogate's first counterexample came sooner, later than the dense network's; a run "
    "without one counts as the time limit, ties count for neither (Pham et al.)"
)
_CANDIDATES = (
    "candidates that are counterexamples to the surrogate, in exact arithmetic, each once per run; the share of these "
    "that are to the dense network too; those that arrived within the time limit. All others are judged as well, and "
    "may be counterexamples to the dense network alone"
)
_TIMED = "pairs of which it is known how long bounding, pruning and finetuning took, where there was any"
_PREPARED = "faster, slower and ratio with the times of bounding, pruning and finetuning added"
_VALUES = "runs with a confirmed value of the dense network, through each"
_BETTER = (
    "share of pairs where the surrogate run's best value of the dense network is larger, smaller than the dense run's "
    "by more than 1e-6 max(1, |value|); none is less than any"
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
    Column("left_out", "left", _LEFT, {Table.SURROGATES: Shown(late=True)}),
    Column(
        "dense_counterexamples", "dense", _FOUND,
        {
            Table.SURROGATES: Shown(about="dense, surr.: counterexamples found through each."),
            Table.SITE_SURROGATES: Shown(about="counterexamples found on the dense network"),
        },
    ),
    Column(
        "surrogate_counterexamples", "surr.", _FOUND,
        {
            Table.SURROGATES: Shown(about=""),
            Table.SITE_SURROGATES: Shown(
                "surrogate", "counterexamples of the dense network found through the surrogate"
            ),
        },
    ),
    _Share(
        "surrogate_faster", "faster", _FASTER,
        {
            Table.SURROGATES: Shown(
                about="faster, slower: share of pairs where the surrogate run found its first one sooner, later; none "
                "found counts as the time limit, ties as neither."
            ),
            Table.SITE_SURROGATES: Shown(about="pairs where the surrogate run found its first one sooner"),
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
            Table.SITE_SURROGATES: Shown(about="pairs where it found it later; ties count for neither"),
            Table.SITE_SIZES: Shown(about=""),
        },
    ),
    _Ratio(
        "time_ratio", "ratio", "dense over surrogate time, geometric mean",
        {
            Table.SURROGATES: Shown(),
            Table.SITE_SURROGATES: Shown(
                about="dense over surrogate time, geometric mean; above 1 the surrogate is faster"
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
    Column("transferred", "", "how many of these candidates are counterexamples to the dense network too"),
    _Share(
        "transfer_share", "transf", _CANDIDATES,
        {
            table: Shown(about="transf: share of these that are to the dense network too (others may be).")
            for table in (Table.PREPARATION, Table.SITE_SIZES)
        },
    ),
    Column("uncounted", "", "surrogate runs of an earlier version, whose candidates were not counted"),
    Column(
        "prepared", "timed", _TIMED, {Table.PREPARATION: Shown(about=f"timed: {_TIMED};")},
    ),
    _Share(
        "prepared_surrogate_faster", "faster", _PREPARED,
        {Table.PREPARATION: Shown(about="faster, slower, ratio: as above, with these times added.")},
    ),
    _Share("prepared_dense_faster", "slower", _PREPARED, {Table.PREPARATION: Shown(about="")}),
    _Ratio("prepared_time_ratio", "ratio", _PREPARED, {Table.PREPARATION: Shown(about="")}),
    Column(
        "best_rate", "best", "the rate with the largest ratio of times, of those of its kind",
        {Table.PREPARATION: Shown(about="best: the rate with the largest ratio above.")},
        text=lambda is_best: "*" if is_best else "",
    ),
)  # fmt: skip
"""Those in `Table.SITE_SIZES` are of a `SizeRow` too."""

SURROGATE_VALUE_COLUMNS = (
    Column(
        "pairs", "pairs", _PAIRS,
        {
            Table.SURROGATE_VALUES: Shown(about=""),
            Table.SITE_SURROGATE_VALUES: Shown(about=_PAIRS_ON_PAGES),
        },
    ),
    Column("left_out", "left", _LEFT, {Table.SURROGATE_VALUES: Shown(late=True)}),
    Column(
        "dense_values", "dense", _VALUES,
        {
            Table.SURROGATE_VALUES: Shown(about="dense, surr.: runs with a confirmed value."),
            Table.SITE_SURROGATE_VALUES: Shown(about="runs on the dense network with a confirmed value"),
        },
    ),
    Column(
        "surrogate_values", "surr.", _VALUES,
        {
            Table.SURROGATE_VALUES: Shown(about=""),
            Table.SITE_SURROGATE_VALUES: Shown(
                "surrogate", "runs on the surrogate with a confirmed value of the dense network"
            ),
        },
    ),
    _Share(
        "surrogate_better", "better", _BETTER,
        {
            Table.SURROGATE_VALUES: Shown(about=f"better, worse: {_BETTER}."),
            Table.SITE_SURROGATE_VALUES: Shown(about="pairs where the surrogate run's best value is larger"),
        },
    ),
    _Share(
        "dense_better", "worse", _BETTER,
        {
            Table.SURROGATE_VALUES: Shown(about=""),
            Table.SITE_SURROGATE_VALUES: Shown(about="pairs where it is smaller"),
        },
    ),
)  # fmt: skip
