"""The registry of the leaderboard's columns: the name, meaning, format and places of each, stated once.

The tables in the terminal, in markdown, CSV, JSON and LaTeX, on the site and in the guide are made from `COLUMNS`.

To add a column, add an entry. If its value is not yet an attribute of the row, give `value`, or compute it where the
row is made: a count in `outcomes`, a number over the common set in `measures`. If it needs something that the ledger
does not store, the schema needs a migration (`records.schema`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from vnnbench.leaderboard.ranking.column_form import Column, Row, Rows, Shown, Table, TableColumn, where_any
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard
from vnnbench.leaderboard.ranking.outcomes import OPTIMIZE
from vnnbench.leaderboard.ranking.ranks import MEASURES, RankRow
from vnnbench.leaderboard.ranking.sign_flips import FEWEST
from vnnbench.leaderboard.ranking.surrogate_columns import APPROACH_COLUMNS, SURROGATE_COLUMNS, SURROGATE_VALUE_COLUMNS
from vnnbench.leaderboard.ranking.value_columns import MEAN_GAP, VALUE_COLUMNS, GapColumn
from vnnbench.leaderboard.text import NONE, TRIPLES, format_number, format_percent, interval_text

FLIP = "!"
"""Marks a rank that is not the one by sgm10."""

_Seconds = partial(Column, unit="s", text=format_number)


def _some_answers(rows: Sequence[Row]) -> bool:
    """Return whether any of these rows is about answers, not only about values of problems without a threshold."""
    answered = any(row.counterexamples or getattr(row, "robust_claimed", 0) + getattr(row, "robust_certified", 0)
                   for row in rows)  # fmt: skip
    return answered or not any(row.values for row in rows)


def _solved(leaderboard: Leaderboard) -> str:
    if not _some_answers(leaderboard.settings):
        return "proved optimal, with a confirmed value, within the time limit"
    optimized = any(row.setting.goal == OPTIMIZE for row in leaderboard.settings)
    return "cex or robust" + ("; with goal optimize, only if also proved optimal" if optimized else "")


def _valued(leaderboard: Leaderboard) -> str:
    if not _some_answers(leaderboard.settings):
        return "a value confirmed in exact arithmetic within the time limit; a later one counts as time."
    return (
        "on a problem without a threshold, a value confirmed exactly within the time limit; there, solved means the "
        "optimum."
    )


def _interval(row: Row) -> str:
    return interval_text(row.rank_low, row.rank_high)


def _dashed_interval(row: Row) -> str:
    return _interval(row).replace("-", "–")


def _rank_in_latex(leaderboard: Leaderboard) -> str:
    sets = leaderboard.common
    inside, total = sum(one.common for one in sets), sum(one.triples for one in sets)
    over = f"the {inside}{f' of {total}' if inside < total else ''} {TRIPLES}"
    within = " of its group" if len(sets) > 1 else ""
    return (
        f"Rank: by sgm10, the geometric mean of wall time in seconds shifted by 10\\,s, over {over} that every "
        f"setting{within} ran, a file that is not done counting as its time limit;"
    )


def _interval_in_latex(leaderboard: Leaderboard) -> str:
    alone = any(row.lacks_interval for row in leaderboard.settings)
    none = f" (--: fewer than {FEWEST} independent problems)" if alone else ""
    return f"95\\,\\%: interval of the rank, by sign-flip tests of all pairs over independent problems{none}."


def _mostly_short(rows: Sequence[Row]) -> bool:
    """Return whether most means are below 10 s, where a shift of 10 s hides how much they differ."""
    means: list[float] = [row.sgm10_seconds for row in rows if row.sgm10_seconds is not None]
    return 2 * sum(mean < 10.0 for mean in means) > len(means)


def _robust(row: Row) -> int:
    return int(row.robust_certified + row.robust_claimed)


def _partial_mean(row: Row, mean: float | None, runs: int) -> str:
    """Return a mean as text, followed by its number of runs if these are fewer than the common runs."""
    return format_number(mean) + (f" of {runs}" if 0 < runs < row.common_runs else "")


_COUNTEREXAMPLES = (
    "runs with a counterexample to the dense network, confirmed in exact arithmetic at a point within 1e-5 of the "
    "solver's"
)
_ROBUST = (
    "runs on a dense instance whose dual bound excludes a counterexample, within the time limit; claimed by the "
    "solver, or certified by a checked proof"
)
_CERTIFIED = "robust runs whose claim is certified by a checked proof"
_CLAIMED = "robust runs that rest on the solver's claim alone"
_FIRST = "median time to the first counterexample, over the runs that found one"
_ENDED = (
    "runs that are not solved, spent or wrong, by how they ended: by the time limit or with an answer after it; by the "
    "memory limit; by a failure; refused by the licence. Every other such run counts under other"
)
_INTERVAL = (
    "interval of the rank: from 1 + the settings that are significantly better, to all less those that are "
    "significantly worse, by sign-flip tests over independent problems (those that share an image are one) at 5 % with "
    f"Holm's correction; fewer than {FEWEST} give none"
)
_SGM = (
    "shifted geometric mean exp(mean(ln(max(1, t + s)))) - s of the seconds t (Mittelmann), with shifts s of 1, 10 and "
    "100 s; a file that is not done counts as its time limit; runs of compared settings with different limits are cut "
    "at the shortest"
)
_RATIO = "this mean divided by that of the best ranked setting"
_PAR = "mean time, a file that is not done counts as two or ten times its limit"
_PARTIAL_RUNS = (
    "number of common runs that this mean is over; for the others the solver or an earlier version recorded no value"
)

_SETTING_COLUMNS = (
    Column(
        "runs", "runs", "all runs of the setting",
        {Table.ANSWERS: Shown(about=""), Table.LATEX: Shown("Runs", ""), Table.SITE_RANKING: Shown()},
    ),
    Column(
        "solved", "solved",
        "runs that count as cex or robust, within the time limit, and are not wrong; with the goal optimize only if "
        "also proved optimal: the bound within 1e-4 max(1, |value|) of the value (without a threshold: proved "
        "optimal, with a confirmed value)",
        {
            Table.ANSWERS: Shown(about=lambda leaderboard: f"solved: {_solved(leaderboard)}."),
            Table.LATEX: Shown("Solved", lambda leaderboard: f"Solved: {_solved(leaderboard)}."),
            Table.SITE_RANKING: Shown(
                about=lambda leaderboard: "runs with a confirmed counterexample, or robust, within the limit"
                if _some_answers(leaderboard.settings)
                else f"runs {_solved(leaderboard)}"
            ),
        },
    ),
    Column(
        "spent", "spent",
        "runs that came to the end of their file within the limit, without a candidate that is an answer: a "
        "surrogate's result proves nothing about the dense network, and another run on it may find an answer",
        {
            Table.ANSWERS: Shown(
                about="spent: came to the end of the file without an answer.",
                when=lambda rows: _some_answers(rows) or where_any("spent")(rows),
            ),
            Table.SITE_RANKING: Shown(
                about="runs that came to the end of the file without an answer", when=where_any("spent")
            ),
        },
    ),
    Column(
        "counterexamples", "cex", _COUNTEREXAMPLES,
        {
            Table.ANSWERS: Shown(
                about="cex: a counterexample, confirmed exactly on the dense network.",
                brief="cex: counterexample, confirmed exactly.",
                when=_some_answers,
            ),
            Table.LATEX: Shown("Cex", "Cex: a counterexample, confirmed in exact arithmetic.", when=_some_answers),
            Table.SITE_RANKING: Shown(
                about="runs with a counterexample within the limit, confirmed exactly on the dense network",
                when=where_any("counterexamples"),
            ),
        },
    ),
    Column(
        "robust", "robust",
        _ROBUST,
        {
            Table.ANSWERS: Shown(
                about="robust: claimed by the solver, on dense networks only. Both within the time limit: a later "
                "answer counts as time.",
                brief="robust: claimed by the solver, on dense networks only.",
                when=_some_answers,
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
        "robust_certified", "cert", _CERTIFIED,
        {
            Table.ANSWERS: Shown(
                brief="cert: robust and certified by a proof.", when=where_any("robust_certified"), late=True
            ),
            Table.SITE_RANKING: Shown(
                "certified", "runs robust within the limit, certified by a checked proof",
                when=where_any("robust_certified"),
            ),
        },
    ),
    Column(
        "robust_claimed", "robust", _CLAIMED,
        {
            Table.LATEX: Shown(
                "Robust",
                "Robust: claimed by the solver. Both within the time limit.",
                when=lambda rows: _some_answers(rows) and not where_any("robust_certified")(rows),
            ),
            Table.SITE_RANKING: Shown(
                about="runs that the solver claims robust, within the limit", when=where_any("robust_claimed")
            ),
        },
    ),
    Column(
        "values", "value",
        "runs on a problem without a threshold that have a value confirmed in exact arithmetic, within the time limit; "
        "there, solved means the optimum",
        {
            Table.ANSWERS: Shown(
                about=lambda leaderboard: f"value: {_valued(leaderboard)}", when=where_any("values"), late=True
            ),
            Table.LATEX: Shown(
                "Value", lambda leaderboard: f"Value: {_valued(leaderboard)}", when=where_any("values")
            ),
            Table.SITE_RANKING: Shown(
                about="runs on a problem without a threshold, with a value confirmed within the limit",
                when=where_any("values"),
            ),
        },
    ),
    Column(
        "timeouts", "time", _ENDED,
        {
            Table.ANSWERS: Shown(about="", brief="time: stopped by the time limit."),
            Table.SITE_RANKING: Shown(
                "timeout", "runs stopped by the time limit, or answered after it", when=where_any("timeouts")
            ),
        },
    ),
    Column(
        "memory", "mem", _ENDED,
        {
            Table.ANSWERS: Shown(
                about="time, mem: stopped by that limit.", brief="mem: stopped by the memory limit."
            ),
            Table.SITE_RANKING: Shown("memory", "runs stopped by the memory limit", when=where_any("memory")),
        },
    ),
    Column(
        "errors", "err", _ENDED,
        {
            Table.ANSWERS: Shown(about="err: failed."),
            Table.SITE_RANKING: Shown("failed", "runs ended by an error or a crash", when=where_any("errors")),
        },
    ),
    Column(
        "license_limit", "lic", _ENDED,
        {
            Table.ANSWERS: Shown(about="lic: refused by its licence."),
            Table.SITE_RANKING: Shown(
                "licence", "runs that the solver's licence refused", when=where_any("license_limit")
            ),
        },
    ),
    Column(
        "other", "other", "runs ended by another limit (nodes, output), by the operator, or without an answer",
        {
            Table.ANSWERS: Shown(when=where_any("other"), late=True),
            Table.SITE_RANKING: Shown(when=where_any("other")),
        },
    ),
    Column(
        "wrong", "wrong", "runs whose claim is refuted, or whose solution does not satisfy the file",
        {
            Table.ANSWERS: Shown(
                about="wrong: a refuted answer; it puts the setting below the line.", brief="wrong: refuted."
            ),
            Table.LATEX: Shown(
                "Wrong",
                "Wrong: refuted answers, which leave a setting without a rank, below the line.",
                when=where_any("wrong"),
            ),
            Table.SITE_RANKING: Shown(about="runs with a refuted answer: one puts the setting below the line"),
        },
    ),
    Column("tolerance", "", "runs that deviate within tolerance, which is not a fault"),
    Column("below_line", "", "true if the setting gave a wrong answer, and therefore has no rank"),
    Column(
        "rank", "rank",
        "position by sgm10 over the files that every setting ran, for each goal, type of CPU, role (dense or "
        "surrogate) and formulation separately; a setting with a wrong answer has no rank",
        {
            Table.TIMES: Shown(
                about="rank: by sgm10, the geometric mean of seconds shifted by 10 s, a file that is not done "
                "counting as its time limit;",
                brief="rank: by sgm10, the geometric mean of seconds shifted by 10 s (not done: the time limit);",
            ),
            Table.LATEX: Shown("Rank", _rank_in_latex),
        },
    ),
    Column(
        "rank_interval", "95%", _INTERVAL,
        {
            Table.TIMES: Shown(
                about="95%: interval of the rank, by tests of all pairs.", brief="95%: interval of the rank."
            ),
            Table.LATEX: Shown("95\\,\\%", _interval_in_latex, cell=_dashed_interval),
            Table.SITE_RANKING: Shown(
                "rank, 95 %", "interval of the rank, by tests of all pairs", cell=_dashed_interval
            ),
        },
        cell=_interval, exported=False,
    ),
    Column("rank_low", "", _INTERVAL),
    Column("rank_high", "", _INTERVAL),
    Column(
        "common_runs", "common", "runs on instances, seeds and permutations that every setting ran: the base of rank "
        "and times",
        {Table.SITE_MORE: Shown(about="runs on what every setting ran")},
    ),
    Column(
        "common_solved", "done", "common runs that are done with their file: at an answer, or at its end (spent)",
        {
            Table.TIMES: Shown(
                about="done: files worked through to an answer or to their end (spent), of those that every setting "
                "ran.",
                brief="done: of the files that all ran, those worked through to an answer or to the end (spent)."
            ),
            Table.SITE_RANKING: Shown(about="files worked through to an answer or to their end, of those that all ran"),
            Table.SITE_MORE: Shown(about="common runs that are done with their file: at an answer, or at its end"),
        },
        cell=lambda row: f"{row.common_solved}/{row.common_runs}",
    ),
    _Seconds(
        "sgm1_seconds", "sgm1", _SGM,
        {
            Table.TIMES: Shown(about="sgm1: the same with 1 s.", brief="sgm1: shifted by 1 s.", when=_mostly_short),
            Table.SITE_RANKING: Shown(about="shifted geometric mean of seconds, shift 1 s", when=_mostly_short),
            Table.SITE_MORE: Shown(about="shifted geometric mean of seconds, shift 1 s"),
        },
    ),
    _Seconds(
        "sgm10_seconds", "sgm10", _SGM,
        {
            Table.TIMES: Shown(about=""),
            Table.LATEX: Shown(about=""),
            Table.SITE_RANKING: Shown(about="shifted geometric mean of seconds, shift 10 s"),
            Table.SITE_MORE: Shown(about="the same with shift 10 s, which gives the rank"),
        },
    ),
    _Seconds("sgm100_seconds", "sgm100", _SGM, {Table.SITE_MORE: Shown(about="the same with shift 100 s")}),
    Column("sgm1_ratio", "", _RATIO),
    Column(
        "sgm10_ratio", "ratio", _RATIO,
        {
            Table.TIMES: Shown(about="ratio: sgm10 divided by the best.", brief="ratio: to the best sgm10."),
            Table.LATEX: Shown("Ratio", "Ratio: sgm10 divided by the best."),
            Table.SITE_RANKING: Shown(about="sgm10 divided by the best"),
        },
        text=format_number,
    ),
    Column("sgm100_ratio", "", _RATIO),
    _Seconds(
        "par2_seconds", "PAR2", _PAR,
        {Table.SITE_MORE: Shown(about="mean seconds, a file that is not done counts as twice its limit")},
    ),
    _Seconds(
        "par10_seconds", "PAR10", _PAR,
        {
            Table.TIMES: Shown(
                about="PAR10: mean seconds, a file that is not done counting as ten times its limit.",
                brief="PAR10: mean seconds (not done: 10 limits).",
            ),
            Table.LATEX: Shown(about="PAR10: mean time, a file that is not done counting as ten times its limit."),
            Table.SITE_RANKING: Shown(about="mean seconds, a file that is not done counts as ten times its limit"),
            Table.SITE_MORE: Shown(about="mean seconds, a file that is not done counts as ten times its limit"),
        },
    ),
    _Seconds(
        "median_first_counterexample_seconds", "first", _FIRST,
        {
            Table.TIMES: Shown(brief="first: median seconds to a counterexample.", when=_some_answers),
            Table.SITE_RANKING: Shown(
                about="median seconds to the first counterexample, over the runs that found one",
                when=where_any("median_first_counterexample_seconds"),
            ),
        },
    ),
    _Seconds(
        "primal_integral_seconds", "primal",
        "mean primal integral: time weighted by the gap between the best verified candidate so far and the best known, "
        "up to the answer; without one, as in a spent run, up to the time limit",
        {
            Table.TIMES: Shown(brief="primal: mean primal integral (spent runs: up to the limit)."),
            Table.SITE_RANKING: Shown(
                about="mean primal integral, seconds", when=where_any("primal_integral_seconds")
            ),
        },
    ),
    Column("primal_integral_runs", "", _PARTIAL_RUNS),
    _Seconds(
        "dual_integral_seconds", "dual",
        "mean dual integral on dense networks: time weighted by the gap between the solver's bound and the best known "
        "value",
        {
            Table.SITE_MORE: Shown(
                about="mean dual integral on dense networks, seconds; with the number of runs, if not all",
                cell=lambda row: _partial_mean(row, row.dual_integral_seconds, row.dual_integral_runs),
            )
        },
    ),
    Column("dual_integral_runs", "", _PARTIAL_RUNS),
    Column(
        "gap", "gap", "mean relative gap between the solver's value and bound at the end", {Table.SITE_MORE: Shown()},
        text=format_number,
    ),
    Column(
        "nodes", "nodes", "shifted geometric mean of the number of branch-and-bound nodes, shift 100",
        {
            Table.SITE_MORE: Shown(
                about="shifted geometric mean, shift 100; with the number of runs, if not all",
                cell=lambda row: _partial_mean(row, row.nodes, row.nodes_runs),
            )
        },
        text=format_number,
    ),
    Column("nodes_runs", "", _PARTIAL_RUNS),
    Column(
        "alone", "alone", "common files that this setting alone is done with",
        {
            Table.SITE_CONTRIBUTIONS: Shown(about="files that only this setting above the line is done with"),
        },
    ),
    Column(
        "contribution", "share",
        "what the virtual best setting loses without this one: 1 - sgm10 with all / sgm10 without it",
        {Table.SITE_CONTRIBUTIONS: Shown()},
        text=partial(format_percent, digits=2),
    ),
    *VALUE_COLUMNS,
)  # fmt: skip

_REFERENCE_COLUMNS = (
    Column("runs", "runs", "all runs of the setting", {Table.REFERENCE: Shown(about="")}),
    Column(
        "counterexamples", "cex", _COUNTEREXAMPLES, {Table.REFERENCE: Shown(about="", when=_some_answers)},
    ),
    Column(
        "robust", "robust", _ROBUST,
        {Table.REFERENCE: Shown(about="", when=lambda rows: any(map(_robust, rows)))},
        value=_robust, exported=False,
    ),
    Column(
        "robust_certified", "cert", _CERTIFIED,
        {Table.REFERENCE: Shown(when=where_any("robust_certified"), late=True)},
    ),
    Column("robust_claimed", "", _CLAIMED),
    Column(
        "values", "value",
        "runs on a problem without a threshold that have a value confirmed in exact arithmetic, within the time limit",
        {Table.REFERENCE: Shown(about="", when=where_any("values"))},
    ),
    Column(
        "better", "better",
        "runs with a value above the best that a solver reached on the problem, by more than 1e-4 max(1, |value|)",
        {Table.REFERENCE: Shown(when=where_any("values"))},
    ),
    GapColumn(
        "gap", "to best",
        f"{MEAN_GAP} between its value and the best that a solver reached on the problem, over the runs with both; "
        "negative where its value is better",
        {Table.REFERENCE: Shown(when=where_any("values"))},
    ),
    Column(
        "alone", "alone", "a counterexample on an instance where solvers ran without finding one",
        {Table.REFERENCE: Shown(when=_some_answers)},
    ),
    Column(
        "missed", "missed", "no counterexample on an instance where a solver found one",
        {Table.REFERENCE: Shown(when=_some_answers)},
    ),
    Column("errors", "err", "failed runs", {Table.REFERENCE: Shown(about="")}),
    _Seconds(
        "median_first_counterexample_seconds", "first", _FIRST, {Table.REFERENCE: Shown(when=_some_answers)}
    ),
)  # fmt: skip


def _rank_range(row: RankRow, measures: Sequence[str]) -> str:
    """Return the range of the ranks by these measures, marked with `FLIP` if one differs from the rank by sgm10."""
    ranks = {rank for name in measures if (rank := row.by_measure[name]) is not None}
    if not ranks:
        return NONE
    return interval_text(min(ranks), max(ranks)) + (FLIP if ranks != {row.rank} else "")


_AT_TOLERANCES = tuple(name for name in MEASURES if name.startswith(("as_given", "repaired")))
_RANK_HEADS = {"par2": "PAR2", "par10": "PAR10", "solved": "done", "solved_by_all": "easy"}
_TOLERANCE = "tolerance"


def rank_head(measure: str) -> str:
    """Return the head of the column that shows the ranks by one of `MEASURES`."""
    return _TOLERANCE if measure in _AT_TOLERANCES else _RANK_HEADS.get(measure, measure)


_RANK_COLUMNS = (
    *(
        Column(
            name, rank_head(name), meaning, {Table.RANKS: Shown(about="")},
            cell=partial(_rank_range, measures=(name,)), exported=False,
        )
        for name, meaning in MEASURES.items()
        if name not in _AT_TOLERANCES
    ),
    Column(
        _TOLERANCE, _TOLERANCE,
        "as sgm10, with counterexamples counting only within given distances of the input set",
        {Table.RANKS: Shown(about="")},
        cell=partial(_rank_range, measures=_AT_TOLERANCES), exported=False,
    ),
)  # fmt: skip
"""Columns of the ranks by other measures. JSON holds the ranks themselves, under the names of `MEASURES`."""

COLUMNS: dict[Rows, tuple[Column, ...]] = {
    Rows.SETTINGS: _SETTING_COLUMNS,
    Rows.RANKS: _RANK_COLUMNS,
    Rows.REFERENCE: _REFERENCE_COLUMNS,
    Rows.SURROGATES: SURROGATE_COLUMNS,
    Rows.SURROGATE_VALUES: SURROGATE_VALUE_COLUMNS,
    Rows.APPROACHES: APPROACH_COLUMNS,
}
"""All columns, in the order of CSV, JSON and the guide."""

_ORDER: dict[Table, tuple[str, ...]] = {
    Table.ANSWERS: (
        "runs", "solved", "counterexamples", "robust", "robust_certified", "values", "spent", "timeouts", "memory",
        "errors", "license_limit", "other", "wrong",
    ),
    Table.TIMES: (
        "rank", "rank_interval", "common_solved", "sgm10_seconds", "sgm10_ratio", "sgm1_seconds", "par10_seconds",
    ),
    Table.APPROACHES: ("rank", "found", "share", "sgm1_seconds"),
    Table.LATEX: (
        "rank", "rank_interval", "runs", "solved", "counterexamples", "robust", "robust_claimed", "values",
        "best_values", "best_gap", "bound_gap", "wrong",
    ),
    Table.SITE_RANKING: (
        "sgm10_seconds", "common_solved", "rank_interval", "sgm10_ratio", "sgm1_seconds", "solved", "runs", "wrong",
        "counterexamples", "robust_certified", "robust_claimed", "values",
    ),
}  # fmt: skip
"""The columns that come first in tables with an order of their own; the others follow in the order of `COLUMNS`."""


def columns_of(table: Table, rows: Sequence[Row] | None = None) -> list[TableColumn]:
    """Return the columns of a table of these rows, in order; without rows, all columns that the table may have."""
    found = [
        TableColumn(column, shown)
        for columns in COLUMNS.values()
        for column in columns
        if (shown := column.shown.get(table)) and (rows is None or shown.when is None or shown.when(rows))
    ]
    order = {key: place for place, key in enumerate(_ORDER.get(table, ()))}
    return sorted(found, key=lambda column: order.get(column.column.key, len(order)))


def keys_of(rows: Rows) -> list[str]:
    """Return the names of the columns that CSV and JSON export, in order."""
    return [column.key for column in COLUMNS[rows] if column.exported]


def record_of(rows: Rows, row: Row) -> dict[str, object]:
    """Return the exported values of a row by column name, unrounded, for CSV and JSON."""
    return {column.key: column.value_of(row) for column in COLUMNS[rows] if column.exported}
