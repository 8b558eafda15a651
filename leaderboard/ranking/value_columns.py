"""The columns of values: how good the values of problems without a threshold are, which are solved or not."""

from __future__ import annotations

from functools import partial

from vnnbench.leaderboard.ranking.column_form import Column, Shown, Table, where_any
from vnnbench.leaderboard.text import format_percent

GapColumn = partial(Column, text=partial(format_percent, digits=2))
MEAN_GAP = "mean relative gap |v - w| / max(|v|, |w|)"

_has_values = where_any("value_runs")

VALUE_COLUMNS = (
    Column(
        "value_runs", "runs", "common runs on problems without a threshold: the base of best, to best and to bound",
        {Table.VALUES: Shown(about="runs: those on problems without a threshold that every setting made.")},
    ),
    Column(
        "best_values", "best",
        "runs whose value, confirmed within the time limit, is the best that a solver reached on the problem, or less "
        "by at most 1e-4 max(1, |best|)",
        {
            Table.VALUES: Shown(
                about="best: the value confirmed within the time limit is the best that a solver reached on the "
                "problem, or less by at most 1e-4 max(1, |best|).",
                brief="best: its value is the best of all solvers.",
            ),
            Table.LATEX: Shown(
                "Best",
                "Best: a value that is the best of all solvers on the problem, up to $10^{-4}$, on the runs that all "
                "made.",
                when=_has_values,
            ),
        },
    ),
    GapColumn(
        "best_gap", "to best",
        f"{MEAN_GAP} between this value and the best that a solver reached on the problem; 100 % without a value",
        {
            Table.VALUES: Shown(brief="to best: mean gap to the best value; 100 % without one."),
            Table.LATEX: Shown(
                "To best",
                "To best: mean relative gap between the value and the best one; 100\\,\\% without a value.",
                when=_has_values,
            ),
        },
    ),
    GapColumn(
        "bound_gap", "to bound",
        "the same mean between this value and the bound that the run proved, on dense networks; 0 % if it is solved, "
        "100 % without a value or a bound",
        {
            Table.VALUES: Shown(
                about="to bound: the same between this value and the bound that the run proved; 0 % if it is solved, "
                "100 % without a value or a bound.",
                brief="to bound: the same to the run's own bound.",
            ),
            Table.LATEX: Shown(
                "To bound",
                "To bound: the same between the value and the bound that the run proved; 0\\,\\% if it is solved, "
                "100\\,\\% without a value or a bound.",
                when=_has_values,
            ),
        },
    ),
)  # fmt: skip
