"""The columns of the leaderboard, each once: what it is called, what it means, how a number becomes text, where it is
shown. Terminal, markdown, CSV, JSON, LaTeX, the site and the table in the README are made from `COLUMNS`.

To add a column, add an entry. Where its value is not an attribute of the row yet, give `value`, or compute it where
the row is made: a count in `outcomes`, a number over the common set in `measures`. If it needs something that the
ledger does not store, the schema needs a migration (`records.schema`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from vnnbench.leaderboard.ranking.column_form import Column, Row, Rows, Shown, Table, TableColumn, where_any
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard
from vnnbench.leaderboard.ranking.outcomes import OPTIMIZE
from vnnbench.leaderboard.ranking.ranks import MEASURES, RankRow
from vnnbench.leaderboard.ranking.surrogate_columns import SURROGATE_COLUMNS, SURROGATE_VALUE_COLUMNS
from vnnbench.leaderboard.text import NONE, format_number, format_percent, interval_text, triples

FLIP = "!"
"""Marks a rank that is not the one by sgm10."""

_Seconds = partial(Column, unit="s", text=format_number)


def _solved(leaderboard: Leaderboard) -> str:
    asked = any(row.setting.goal == OPTIMIZE for row in leaderboard.settings)
    return "cex or robust" + ("; with goal optimize, proved optimal too" if asked else "")


def _interval(row: Row) -> str:
    return interval_text(row.rank_low, row.rank_high)


def _dashed_interval(row: Row) -> str:
    return _interval(row).replace("-", "–")


def _rank_in_latex(leaderboard: Leaderboard) -> str:
    sets = leaderboard.common
    inside, total = sum(one.common for one in sets), sum(one.triples for one in sets)
    over = f"the {inside}{f' of {total}' if inside < total else ''} {triples(leaderboard.conditions.permutations)}"
    within = " of its group" if len(sets) > 1 else ""
    return (
        f"Rank: by sgm10, the geometric mean of wall time in seconds shifted by 10\\,s, over {over} that every "
        f"setting{within} ran, an unsolved run, spent or not, counting as its time limit;"
    )


def _interval_in_latex(leaderboard: Leaderboard) -> str:
    alone = any(row.lacks_interval for row in leaderboard.settings)
    none = " (--: over a single problem there is none)" if alone else ""
    return f"95\\,\\%: its bootstrap interval over the problems{none}."


def _robust(row: Row) -> int:
    return int(row.robust_certified + row.robust_claimed)


def _partial_mean(row: Row, mean: float | None, runs: int) -> str:
    """A mean, and over how many of the common runs it is, where that is not all of them."""
    return format_number(mean) + (f" of {runs}" if 0 < runs < row.common_runs else "")


_ENDED = (
    "of the runs that are none of solved, spent and wrong: ended by the time limit, or with an answer that came after "
    "it; by the memory limit; failed; refused by the licence. Every run is in one of these columns, or in other"
)
_INTERVAL = "interval of the rank, from 1,000 bootstrap samples of whole problems; none over a single one"
_SGM = (
    "exp(mean(ln(max(1, t + s)))) - s of the seconds t (Mittelmann), with shifts s of 1, 10 and 100 s; unsolved, spent "
    "or not, counts as the limit, of several limits as the longest of those compared"
)
_RATIO = "this mean over that of the best ranked setting"
_PAR = "mean time, unsolved counts as two or ten times the limit"
_PARTIAL_RUNS = (
    "over how many of the common runs these means are: of the others an earlier version or a solver told none"
)

_SETTING_COLUMNS = (
    Column(
        "runs", "runs", "all runs of the setting",
        {Table.ANSWERS: Shown(about=""), Table.LATEX: Shown("Runs", ""), Table.SITE_RANKING: Shown()},
    ),
    Column(
        "solved", "solved",
        "cex or robust, within the time limit, and not wrong; with the goal optimize also proved optimal, its bound "
        "within 1e-4 max(1, |value|) of its value (for maximize and closest: that, and a value)",
        {
            Table.ANSWERS: Shown(about=lambda leaderboard: f"solved: {_solved(leaderboard)}."),
            Table.LATEX: Shown("Solved", lambda leaderboard: f"Solved: {_solved(leaderboard)}."),
            Table.SITE_RANKING: Shown(about="counterexample confirmed, or robust, within the limit"),
        },
    ),
    Column(
        "spent", "spent",
        "its file solved to the end within the limit, and none of the run's candidates an answer: a surrogate that "
        "says nothing of the dense network, where another run may come by a candidate that is one; the run counts as "
        "unsolved",
        {
            Table.ANSWERS: Shown(about="spent: the file solved to its end, without an answer."),
            Table.SITE_RANKING: Shown(about="file solved to its end, without an answer", when=where_any("spent")),
        },
    ),
    Column(
        "counterexamples", "cex",
        "a counterexample to the dense network, confirmed in exact arithmetic, within 1e-5 of what the solver gave",
        {
            Table.ANSWERS: Shown(about="cex: a counterexample, confirmed exactly on the dense network."),
            Table.LATEX: Shown("Cex", "Cex: a counterexample, confirmed in exact arithmetic."),
            Table.SITE_RANKING: Shown(
                about="counterexamples within the limit, confirmed exactly on the dense network",
                when=where_any("counterexamples"),
            ),
        },
    ),
    Column(
        "robust", "robust",
        "a dense instance whose dual bound rules a counterexample out, within the time limit; the solver's claim, or "
        "certified by a checked proof",
        {
            Table.ANSWERS: Shown(
                about="robust: claimed by the solver; a surrogate's run never is. Both within the time limit: what "
                "came later counts as time."
            ),
            Table.LATEX: Shown(
                "Robust",
                "Robust: certified by a proof + claimed by the solver. Both within the time limit.",
                cell=lambda row: f"{row.robust_certified} + {row.robust_claimed}",
                when=where_any("robust_certified"),
            ),
        },
        value=_robust, exported=False,
    ),
    Column(
        "robust_certified", "cert", "of the robust ones, those with a checked proof",
        {
            Table.ANSWERS: Shown(when=where_any("robust_certified"), late=True),
            Table.SITE_RANKING: Shown(
                "certified", "robust within the limit, by a checked certificate", when=where_any("robust_certified")
            ),
        },
    ),
    Column(
        "robust_claimed", "robust", "of the robust ones, those by the solver's word alone",
        {
            Table.LATEX: Shown(
                "Robust",
                "Robust: claimed by the solver. Both within the time limit.",
                when=lambda rows: not where_any("robust_certified")(rows),
            ),
            Table.SITE_RANKING: Shown(
                about="claimed by the solver within the limit", when=where_any("robust_claimed")
            ),
        },
    ),
    Column(
        "values", "value",
        "of a problem without a threshold, a value confirmed in exact arithmetic, within the time limit; solved there: "
        "the optimum",
        {
            Table.ANSWERS: Shown(
                about="value: of a problem without a threshold, one confirmed exactly on the dense network within the "
                "time limit; solved there: the optimum.",
                when=where_any("values"), late=True,
            ),
            Table.LATEX: Shown(
                "Value",
                "Value: where there is no threshold, a value confirmed in exact arithmetic within the time limit; "
                "solved: the optimum.",
                when=where_any("values"),
            ),
            Table.SITE_RANKING: Shown(
                about="confirmed within the limit, of a problem without a threshold", when=where_any("values")
            ),
        },
    ),
    Column(
        "timeouts", "time", _ENDED,
        {
            Table.ANSWERS: Shown(about=""),
            Table.SITE_RANKING: Shown(
                "timeout", "stopped by the time limit, or answered after it", when=where_any("timeouts")
            ),
        },
    ),
    Column(
        "memory", "mem", _ENDED,
        {
            Table.ANSWERS: Shown(about="time, mem: stopped by that limit."),
            Table.SITE_RANKING: Shown("memory", "stopped by the memory limit", when=where_any("memory")),
        },
    ),
    Column(
        "errors", "err", _ENDED,
        {
            Table.ANSWERS: Shown(about="err: failed."),
            Table.SITE_RANKING: Shown("failed", "ended by an error or a crash", when=where_any("errors")),
        },
    ),
    Column(
        "license_limit", "lic", _ENDED,
        {
            Table.ANSWERS: Shown(about="lic: refused by its licence."),
            Table.SITE_RANKING: Shown("licence", "refused by its licence", when=where_any("license_limit")),
        },
    ),
    Column(
        "other", "other", "ended by another limit (nodes, output), by the operator, or without an answer",
        {
            Table.ANSWERS: Shown(when=where_any("other"), late=True),
            Table.SITE_RANKING: Shown(when=where_any("other")),
        },
    ),
    Column(
        "wrong", "wrong", "refuted, or its solution does not fit the file",
        {
            Table.ANSWERS: Shown(about="wrong: refuted; puts the setting below the line."),
            Table.LATEX: Shown(
                "Wrong",
                "Wrong: refuted answers, which leave a setting without a rank, below the line.",
                when=where_any("wrong"),
            ),
            Table.SITE_RANKING: Shown(about="refuted: puts the setting below the line"),
        },
    ),
    Column("tolerance", "", "runs that deviate within tolerance, which is not a fault"),
    Column("below_line", "", "whether the setting gave a wrong answer, and so has no rank"),
    Column(
        "rank", "rank",
        "by sgm10 over the runs that every setting made, each goal on each machine by itself; a setting with a wrong "
        "answer has none",
        {
            Table.TIMES: Shown(
                about="rank: by sgm10, the geometric mean of seconds shifted by 10 s, an unsolved run, spent or not, "
                "counting as its time limit;"
            ),
            Table.LATEX: Shown("Rank", _rank_in_latex),
        },
    ),
    Column(
        "rank_interval", "95%", _INTERVAL,
        {
            Table.TIMES: Shown(about="95%: of the rank, from bootstrap samples of the problems."),
            Table.LATEX: Shown("95\\,\\%", _interval_in_latex, cell=_dashed_interval),
            Table.SITE_RANKING: Shown(
                "rank, 95 %", "interval of the rank, by bootstrap over several problems", cell=_dashed_interval
            ),
        },
        cell=_interval, exported=False,
    ),
    Column("rank_low", "", _INTERVAL),
    Column("rank_high", "", _INTERVAL),
    Column(
        "common_runs", "common", "the runs that every setting made: what rank and times are over",
        {Table.SITE_MORE: Shown(about="runs on what every setting ran")},
    ),
    Column(
        "common_solved", "solved", "of the runs that every setting made",
        {
            Table.TIMES: Shown(about="solved: of the runs that all made."),
            Table.SITE_MORE: Shown(about="of these"),
        },
    ),
    _Seconds(
        "sgm1_seconds", "sgm1", _SGM,
        {Table.SITE_MORE: Shown(about="shifted geometric mean of seconds, shift 1 s")},
    ),
    _Seconds(
        "sgm10_seconds", "sgm10", _SGM,
        {
            Table.TIMES: Shown(about=""),
            Table.LATEX: Shown(about=""),
            Table.SITE_RANKING: Shown(about="shifted geometric mean of seconds, shift 10 s"),
            Table.SITE_MORE: Shown(about="the same, shift 10 s: the rank"),
        },
    ),
    _Seconds("sgm100_seconds", "sgm100", _SGM, {Table.SITE_MORE: Shown(about="the same, shift 100 s")}),
    Column("sgm1_ratio", "", _RATIO),
    Column(
        "sgm10_ratio", "ratio", _RATIO,
        {
            Table.TIMES: Shown(about="ratio: of sgm10 to the best."),
            Table.LATEX: Shown("Ratio", "Ratio: of sgm10 to the best."),
            Table.SITE_RANKING: Shown(about="sgm10, scaled to the best"),
        },
        text=format_number,
    ),
    Column("sgm100_ratio", "", _RATIO),
    _Seconds(
        "par2_seconds", "PAR2", _PAR, {Table.SITE_MORE: Shown(about="mean seconds, unsolved counts two limits")}
    ),
    _Seconds(
        "par10_seconds", "PAR10", _PAR,
        {
            Table.TIMES: Shown(about="PAR10: mean, unsolved counting as ten times the limit."),
            Table.LATEX: Shown(about="PAR10: mean time, an unsolved run counting as ten times its limit."),
            Table.SITE_RANKING: Shown(about="mean seconds, unsolved counts ten limits"),
            Table.SITE_MORE: Shown(about="mean seconds, unsolved counts ten limits"),
        },
    ),
    _Seconds(
        "median_first_counterexample_seconds", "first",
        "median time to the first counterexample, where there is one",
        {
            Table.TIMES: Shown(),
            Table.SITE_RANKING: Shown(
                about="median seconds to the first counterexample, where there is one",
                when=where_any("median_first_counterexample_seconds"),
            ),
        },
    ),
    _Seconds(
        "primal_integral_seconds", "primal",
        "mean primal integral, time weighted by the gap of the best verified candidate so far to the best known",
        {
            Table.TIMES: Shown(),
            Table.SITE_RANKING: Shown(
                about="mean primal integral, seconds", when=where_any("primal_integral_seconds")
            ),
        },
    ),
    Column("primal_integral_runs", "", _PARTIAL_RUNS),
    _Seconds(
        "dual_integral_seconds", "dual",
        "mean dual integral on dense networks, time weighted by the gap of the solver's bound",
        {
            Table.SITE_MORE: Shown(
                about="mean dual integral on dense networks, seconds; of how many runs, if not of all",
                cell=lambda row: _partial_mean(row, row.dual_integral_seconds, row.dual_integral_runs),
            )
        },
    ),
    Column("dual_integral_runs", "", _PARTIAL_RUNS),
    Column(
        "gap", "gap", "mean relative gap that the solver claims at the end", {Table.SITE_MORE: Shown()},
        text=format_number,
    ),
    Column(
        "nodes", "nodes", "shifted geometric mean of the nodes of branch and bound, shift 100",
        {
            Table.SITE_MORE: Shown(
                about="shifted geometric mean, shift 100; of how many runs, if not of all",
                cell=lambda row: _partial_mean(row, row.nodes, row.nodes_runs),
            )
        },
        text=format_number,
    ),
    Column("nodes_runs", "", _PARTIAL_RUNS),
    Column(
        "alone", "alone", "solved by no other setting",
        {
            Table.TIMES: Shown(),
            Table.SITE_CONTRIBUTIONS: Shown(about="runs that no other setting above the line solves"),
        },
    ),
    Column(
        "contribution", "share", "what the virtual best loses without it: shifted geometric mean, shift 10 s",
        {Table.SITE_CONTRIBUTIONS: Shown()},
        text=partial(format_percent, digits=2),
    ),
)  # fmt: skip

_REFERENCE_COLUMNS = (
    Column("runs", "runs", "all runs of the setting", {Table.REFERENCE: Shown(about="")}),
    Column(
        "counterexamples", "cex",
        "a counterexample to the dense network, confirmed in exact arithmetic, within 1e-5 of what the solver gave",
        {Table.REFERENCE: Shown(about="")},
    ),
    Column(
        "values", "value",
        "of a problem without a threshold, a value confirmed in exact arithmetic, within the time limit",
        {Table.REFERENCE: Shown(about="", when=where_any("values"))},
    ),
    Column(
        "alone", "alone", "on an instance where solvers ran and none has a counterexample", {Table.REFERENCE: Shown()}
    ),
    Column("missed", "missed", "none, where a solver has one", {Table.REFERENCE: Shown()}),
    Column("errors", "err", "failed", {Table.REFERENCE: Shown(about="")}),
    _Seconds(
        "median_first_counterexample_seconds", "first", "median time to the first counterexample, where there is one",
        {Table.REFERENCE: Shown()},
    ),
)  # fmt: skip


def _rank_range(row: RankRow, measures: Sequence[str]) -> str:
    """The ranks by some measures, and whether one is not the rank by sgm10."""
    ranks = {rank for name in measures if (rank := row.by_measure[name]) is not None}
    if not ranks:
        return NONE
    return interval_text(min(ranks), max(ranks)) + (FLIP if ranks != {row.rank} else "")


_AT_TOLERANCES = tuple(name for name in MEASURES if name.startswith(("as_given", "repaired")))
_RANK_HEADS = {"par2": "PAR2", "par10": "PAR10", "solved_by_all": "easy"}
_RANK_COLUMNS = (
    *(
        Column(
            name, _RANK_HEADS.get(name, name), meaning, {Table.RANKS: Shown(about="")},
            cell=partial(_rank_range, measures=(name,)), exported=False,
        )
        for name, meaning in MEASURES.items()
        if name not in _AT_TOLERANCES
    ),
    Column(
        "tolerance", "tolerance", "as sgm10, a counterexample counting by how far it lies outside of the input set",
        {Table.RANKS: Shown(about="")},
        cell=partial(_rank_range, measures=_AT_TOLERANCES), exported=False,
    ),
)  # fmt: skip
"""JSON has the ranks themselves, by the names of `MEASURES`."""

COLUMNS: dict[Rows, tuple[Column, ...]] = {
    Rows.SETTINGS: _SETTING_COLUMNS,
    Rows.RANKS: _RANK_COLUMNS,
    Rows.REFERENCE: _REFERENCE_COLUMNS,
    Rows.SURROGATES: SURROGATE_COLUMNS,
    Rows.SURROGATE_VALUES: SURROGATE_VALUE_COLUMNS,
}
"""All columns, in the order that they have in CSV, JSON and the README."""

_ORDER: dict[Table, tuple[str, ...]] = {
    Table.ANSWERS: (
        "runs", "solved", "counterexamples", "robust", "robust_certified", "values", "spent", "timeouts", "memory",
        "errors", "license_limit", "other", "wrong",
    ),
    Table.TIMES: (
        "rank", "rank_interval", "common_solved", "sgm10_seconds", "sgm10_ratio", "par10_seconds", "alone",
    ),
    Table.LATEX: (
        "rank", "rank_interval", "runs", "solved", "counterexamples", "robust", "robust_claimed", "values", "wrong",
    ),
    Table.SITE_RANKING: (
        "rank_interval", "sgm10_seconds", "sgm10_ratio", "solved", "runs", "wrong", "counterexamples",
        "robust_certified", "robust_claimed", "values",
    ),
}  # fmt: skip
"""Which columns come first where a table has them in an order of its own; the others follow in that of `COLUMNS`."""


def columns_of(table: Table, rows: Sequence[Row] | None = None) -> list[TableColumn]:
    """Return the columns that a table of these rows has, in order; without rows all that such a table may have."""
    found = [
        TableColumn(column, shown)
        for columns in COLUMNS.values()
        for column in columns
        if (shown := column.shown.get(table)) and (rows is None or shown.when is None or shown.when(rows))
    ]
    order = {key: place for place, key in enumerate(_ORDER.get(table, ()))}
    return sorted(found, key=lambda column: order.get(column.column.key, len(order)))


def keys_of(rows: Rows) -> list[str]:
    """Return the names that CSV and JSON have, in order."""
    return [column.key for column in COLUMNS[rows] if column.exported]


def record_of(rows: Rows, row: Row) -> dict[str, object]:
    """Return what CSV and JSON say of a row, by name, unrounded."""
    return {column.key: column.value_of(row) for column in COLUMNS[rows] if column.exported}
