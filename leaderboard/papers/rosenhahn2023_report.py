"""The report on [R] (Rosenhahn 2023) as markdown: coverage, what it finds, and its Tables 3 to 5."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from vnnbench.common.text import plain
from vnnbench.leaderboard.papers.observations import Verdict
from vnnbench.leaderboard.papers.rosenhahn2023 import Trained
from vnnbench.leaderboard.papers.rosenhahn2023_findings import (
    LEAST_SPLITS,
    SHIFT_SECONDS,
    Difference,
    Findings,
    Speedup,
    find,
    speedups,
)
from vnnbench.leaderboard.papers.rosenhahn2023_tables import render_tables, variant_name
from vnnbench.leaderboard.papers.values import (
    ROSENHAHN_FLAGS,
    ROSENHAHN_LIMIT_SECONDS,
    ROSENHAHN_NEURONS,
    ROSENHAHN_PLAIN,
    ROSENHAHN_PRIOR,
    ROSENHAHN_PROBLEMS,
    ROSENHAHN_SAMPLES,
    ROSENHAHN_SETUP,
    ROSENHAHN_SPLITS,
    ROSENHAHN_VARIANTS,
)
from vnnbench.leaderboard.ranking.ranks import SIGNIFICANCE
from vnnbench.leaderboard.records.processors import CPU
from vnnbench.leaderboard.tables.phrases import describe_limits, describe_setting
from vnnbench.leaderboard.text import NONE, count, format_number, markdown_table, markdown_text, span

_INTRODUCTION = f"""\
# Rosenhahn 2023, from these runs

Rosenhahn: Optimization of Sparsity-Constrained Neural Networks as a Mixed Integer Linear Program, Journal of
Optimization Theory and Applications 199 (2023), 931-954, [doi:10.1007/s10957-023-02317-x](https://doi.org/10.1007/s10957-023-02317-x).

A run trains a network of step functions with one hidden layer on some samples of a data set, and the others test it;
the split says which. Its network is the best one that the judge confirmed within the time limit, in exact arithmetic. A
variant such as 101 says which sparsity terms are in the objective, each with the factor 0.1: for weights, for
activations, for neurons; int is the integer network with all three. {ROSENHAHN_PRIOR} is the model of Thorbjarnarson
and Yorke-Smith (PLOS ONE 18(2), 2023).

Many networks can have the least objective: solvers and formulations stop at different ones, so test accuracies differ
between them even where the objectives agree.

The tables of the paper are not available here; the few rows "paper" have what its text prints."""

_RULE = f"""\
A finding is confirmed or contradicted where a two-sided exact sign test over the splits has p at most {SIGNIFICANCE:g}
and the mean difference has the sign that most splits have, else open. With fewer than {LEAST_SPLITS} splits with a
difference it is always open. Each split counts once, with the mean over its pairs of networks, which are of one setting
and formulation. p is corrected neither for the number of tests nor for the samples that splits of one data set share.

In brackets stands the mean difference in percentage points of accuracy; in the last column it is that of the term for
the weights."""
_DETAILS = """\
Differences are means over the splits in percentage points of accuracy. Beside them stand the numbers of splits whose
difference is above 0, 0, and below 0, and the p of the sign test."""
_QUESTIONS = (
    f"Sparsity improves test accuracy over {ROSENHAHN_PLAIN}",
    f"{ROSENHAHN_PLAIN} overfits more than the others",
    "The weights' sparsity matters most",
)
_TEST = ("splits", "difference", "above 0", "equal", "below 0", "p", "finding")


def render(trained: Trained) -> str:
    """Return the whole report as markdown."""
    found = find(trained)
    parts = [
        markdown_text(first_line(trained)),
        _INTRODUCTION,
        "## What the paper finds, and what these runs say",
        *_summary(found),
        "## Settings",
        *_settings(trained),
        "## The findings in detail",
        _DETAILS,
        *_sparsity(found),
        *_overfitting(found),
        *_terms(found),
        *_plain_over_tight(list(speedups(trained))),
        *render_tables(trained),
    ]
    return "\n\n".join(parts) + "\n"


def first_line(trained: Trained) -> str:
    """Return one line on what these runs lack compared with the paper, with ranges if sections differ."""
    problems = trained.in_design or [0]
    design = (
        f"of its {ROSENHAHN_PROBLEMS} problems ({len(ROSENHAHN_SAMPLES)} data sets, {len(ROSENHAHN_VARIANTS)} "
        f"variants, {ROSENHAHN_SPLITS} splits, {ROSENHAHN_NEURONS} neurons)"
    )
    if max(problems) == 0:
        head = f"Smaller than the paper: none {design}, but similar ones (other data, fewer samples or other networks)"
    elif min(problems) < ROSENHAHN_PROBLEMS:
        head = f"Smaller than the paper: {span(problems)} {design}, for each setting and formulation"
    else:
        head = f"All {ROSENHAHN_PROBLEMS} problems of the paper's Table 3, for each setting and formulation"
    others = sorted({plain(name) for name in trained.runs["dataset"].fillna(NONE)} - set(ROSENHAHN_SAMPLES))
    ranked = [trained.settings[place] for place in sorted(trained.ranked["setting"].unique())]
    settings = ranked or trained.settings
    shorter = any((setting.time_limit_seconds or 0.0) < ROSENHAHN_LIMIT_SECONDS for setting in settings)
    return (
        head
        + (f"; data that its Table 3 lacks: {', '.join(others)}" if others else "")
        + f"; {describe_limits(settings)} ({'shorter than ' if shorter else ''}the paper's: {ROSENHAHN_SETUP})."
    )


def _settings(trained: Trained) -> Iterator[str]:
    ranked = set(trained.ranked["setting"])
    lines = []
    for place in sorted(trained.runs["setting"].unique()):
        setting = trained.settings[place]
        beside = "" if place in ranked else ", a heuristic beside the solvers, not ranked"
        lines.append(f"* {markdown_text(f'{plain(setting.label)}: {describe_setting(setting)}{beside}.')}")
    yield "\n".join(lines)
    notes = []
    if trained.refused:
        notes.append(f"Left out: {count(trained.refused, 'run')} refused by a licence or interrupted.")
    if trained.wrong:
        notes.append(f"Wrong (fault solver or formulation): {count(trained.wrong, 'run')}, see the leaderboard.")
    cpus = trained.runs[CPU].nunique()
    if cpus > 1:
        notes.append(f"The runs come from {cpus} types of CPU; the two sides of a comparison are from one.")
    if notes:
        yield " ".join(notes)


# -- findings ------------------------------------------------------------------------------------------------------


def _summary(found: Sequence[Findings]) -> Iterator[str]:
    rows = (
        [
            *_names(one),
            _short(one.sparse, one.sparse.is_above),
            _short(one.overfitting.difference, one.overfitting.difference.is_above),
            _short(one.by_flag[ROSENHAHN_FLAGS[0]], one.weights_matter_most),
        ]
        for one in found
    )
    yield from _table(("setting", "formulation", *_QUESTIONS), (), rows)
    yield _RULE


def _short(difference: Difference, holds: bool | None) -> str:
    return f"{Verdict.of(holds)} ({_points(difference.mean)})" if difference.splits else NONE


def _sparsity(found: Sequence[Findings]) -> Iterator[str]:
    yield f"### {_QUESTIONS[0]}"
    yield f"The test accuracy of a variant minus that of {ROSENHAHN_PLAIN}; all: the mean over the variants."
    rows = (
        [*_names(one), variant_name(name), *_test(difference), Verdict.of(difference.is_above)]
        for one in found
        for name, difference in (one.by_variant | {"all": one.sparse}).items()
        if difference.splits
    )
    yield from _table(("setting", "formulation", "variant"), _TEST, rows)


def _overfitting(found: Sequence[Findings]) -> Iterator[str]:
    yield f"### {_QUESTIONS[1]}"
    yield (
        "The excess of a network is its accuracy on training samples minus that on test samples. The difference is the "
        f"excess of {ROSENHAHN_PLAIN} minus the mean excess of the other variants. Where all networks are right on all "
        "training samples, it is that of the first question."
    )
    own = ((one, one.overfitting, one.overfitting.difference) for one in found)
    rows = (
        [
            *_names(one),
            *map(_points, (excess.plain, excess.others)),
            *_test(difference),
            Verdict.of(difference.is_above),
        ]
        for one, excess, difference in own
        if difference.splits
    )
    yield from _table(("setting", "formulation"), (f"excess of {ROSENHAHN_PLAIN}", "of the others", *_TEST), rows)


def _terms(found: Sequence[Findings]) -> Iterator[str]:
    yield f"### {_QUESTIONS[2]}"
    yield (
        "The test accuracy with a term switched on minus that with the same other terms alone; int is left out. "
        "Confirmed where the weights have the largest mean and improve the accuracy by their own test; contradicted "
        "where a term with a larger mean improves it by its test, or the weights reduce it by theirs; else open."
    )
    rows = (
        [*_names(one), flag, *_test(difference), Verdict.of(one.weights_matter_most) if at == 0 else ""]
        for one in found
        for at, (flag, difference) in enumerate(one.by_flag.items())
        if difference.splits
    )
    yield from _table(("setting", "formulation", "term"), _TEST, rows)


def _plain_over_tight(times: Sequence[Speedup]) -> Iterator[str]:
    yield "### Beyond the paper: plain over tight"
    yield (
        f"Shifted geometric means of seconds, shift {SHIFT_SECONDS:g} s, over the problems that a setting ran in both "
        "formulations; a run that is not solved counts as its limit."
    )
    yield from _table(
        ("setting",), ("pairs", "plain solved", "tight solved", "plain s", "tight s", "plain / tight"),
        (
            [plain(one.setting.label), str(one.pairs), *map(str, one.solved), *map(format_number, one.seconds),
             format_number(one.ratio)]
            for one in times
        ),
    )  # fmt: skip


def _table(names: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    cells = list(rows)
    yield "\n".join(markdown_table(names, numbers, cells)) if cells else "These runs have no pair to compare."


def _names(found: Findings) -> list[str]:
    return [plain(found.setting.label), plain(found.formulation)]


def _test(found: Difference) -> list[str]:
    return [
        str(found.splits),
        _points(found.mean),
        *map(str, (found.above, found.equal, found.below)),
        f"{found.p:.2g}",
    ]


def _points(share: float | None) -> str:
    return NONE if share is None else f"{round(100 * share, 1) + 0.0:+.1f}"  # adding 0 turns -0.0 into 0.0
