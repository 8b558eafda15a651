"""The report on [R] (Rosenhahn 2023) as markdown: coverage, what it finds, and its Tables 3 to 5."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from vnnbench.common.text import plain
from vnnbench.leaderboard.papers.rosenhahn2023 import (
    Data,
    NetworkRow,
    SizeRow,
    TimeRow,
    Trained,
    network_rows,
    size_rows,
    time_rows,
)
from vnnbench.leaderboard.papers.rosenhahn2023_findings import SHIFT_SECONDS, Difference, Findings, find, speedups
from vnnbench.leaderboard.papers.values import (
    ROSENHAHN_ACCURACIES,
    ROSENHAHN_FLAGS,
    ROSENHAHN_LIMIT_SECONDS,
    ROSENHAHN_NEURONS,
    ROSENHAHN_PLAIN,
    ROSENHAHN_PRIOR,
    ROSENHAHN_PROBLEMS,
    ROSENHAHN_SAMPLES,
    ROSENHAHN_SETUP,
    ROSENHAHN_SIZES,
    ROSENHAHN_SPLITS,
    ROSENHAHN_TIMES,
    ROSENHAHN_VARIANTS,
)
from vnnbench.leaderboard.tables.phrases import describe_limits, describe_setting
from vnnbench.leaderboard.text import NONE, count, format_number, format_percent, markdown_table, markdown_text, span

Row = TypeVar("Row", NetworkRow, TimeRow, SizeRow)

_INTRODUCTION = f"""\
# Rosenhahn 2023, from these runs

Rosenhahn: Optimization of Sparsity-Constrained Neural Networks as a Mixed Integer Linear Program, Journal of
Optimization Theory and Applications 199 (2023), 931-954, [doi:10.1007/s10957-023-02317-x](https://doi.org/10.1007/s10957-023-02317-x).

A run trains a network of step functions with one hidden layer on some samples of a data set, and the others test it;
the split says which. Its network is the best one that the judge confirmed within the time limit, in exact arithmetic. A
variant such as 101 says which sparsity terms are in the objective, each with the factor 0.1: for weights, for
activations, for neurons; int is the integer network with all three. {ROSENHAHN_PRIOR} is the model of Thorbjarnarson
and Yorke-Smith (PLOS ONE 18(2), 2023).

The tables of the paper are not available here. The rows "paper" have what its text prints, and dashes elsewhere."""

_TABLE_3 = """\
Means over the runs with a network: accuracy on the test samples with its standard deviation, accuracy on the training
samples, hidden weights that are not 0, steps of hidden neurons that are 1 over all training samples, neurons that have
one, and the objective. without: runs without a network. A setting that is "not ranked" is a heuristic beside the
solvers: what it reaches in the same time, whatever the formulation."""
_TABLE_4 = """\
Seconds until the solver stopped, at most the limit: mean, least and most. solved: optimal within the limit. at limit:
stopped by it; gap: between their confirmed value and their bound, mean in percent of the larger one, 100% where one is
missing. Ranked solvers only. The paper's text prints one time each; it names the variant of ovarian, and that of wine
follows from the context."""
_TABLE_5 = """\
After each data set stands Train, training samples x features. f: columns. A, Aeq: inequality and equality rows. encode:
mean seconds to build and write a model. Ranges are over the splits."""

_NETWORK_NUMBERS = (
    "runs", "without", "test accuracy", "train accuracy", "weights", "activations", "neurons", "objective",
)  # fmt: skip
_TIME_NUMBERS = ("runs", "solved", "mean s", "min s", "max s", "at limit", "gap")
_SIZE_NUMBERS = ("f", "A", "Aeq", "nonzeros", "encode s")


def render(trained: Trained) -> str:
    """Return the whole report as markdown."""
    networks, times, sizes = list(network_rows(trained)), list(time_rows(trained)), list(size_rows(trained))
    parts = [
        markdown_text(first_line(trained, networks)),
        _INTRODUCTION,
        *_settings(trained),
        *_findings(trained),
        "## Table 3: accuracy and size of the networks",
        _TABLE_3,
        *_by_data(networks, ("variant", "setting", "formulation"), _NETWORK_NUMBERS, _network_cells),
        "## Table 4: times",
        _TABLE_4,
        *_by_data(times, ("variant", "setting", "formulation"), _TIME_NUMBERS, _time_cells),
        "## Table 5: sizes of the models",
        _TABLE_5,
        *_by_data(sizes, ("variant", "formulation"), _SIZE_NUMBERS, _size_cells),
    ]
    return "\n\n".join(parts) + "\n"


def first_line(trained: Trained, networks: Sequence[NetworkRow]) -> str:
    """Return one line on what these runs lack compared with the paper, with ranges if sections differ."""
    problems = trained.in_design or [0]
    whole = (
        f"of its {ROSENHAHN_PROBLEMS} problems ({len(ROSENHAHN_SAMPLES)} data sets, {len(ROSENHAHN_VARIANTS)} "
        f"variants, {ROSENHAHN_SPLITS} splits, {ROSENHAHN_NEURONS} neurons), for each setting and formulation"
    )
    if max(problems) == 0:
        head = "None of the problems of the paper's Table 3: all runs are on other data, or on fewer samples or neurons"
    elif min(problems) < ROSENHAHN_PROBLEMS:
        head = f"Smaller than the paper: {span(problems)} {whole}"
    else:
        head = f"All {ROSENHAHN_PROBLEMS} problems of the paper's Table 3, for each setting and formulation"
    others = sorted({plain(row.data.dataset or NONE) for row in networks} - set(ROSENHAHN_SAMPLES))
    ranked = [trained.settings[place] for place in sorted(trained.ranked["setting"].unique())]
    settings = ranked or trained.settings
    shorter = any((setting.time_limit_seconds or 0.0) < ROSENHAHN_LIMIT_SECONDS for setting in settings)
    return (
        head
        + (f"; data that its Table 3 lacks: {', '.join(others)}" if others else "")
        + f"; {describe_limits(settings)} ({'shorter than ' if shorter else ''}the paper's: {ROSENHAHN_SETUP})."
    )


def _settings(trained: Trained) -> Iterator[str]:
    yield "## Settings"
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
    machines = trained.runs["machine"].nunique()
    if machines > 1:
        notes.append(f"The runs come from {machines} machines; the two sides of a comparison are from one.")
    if notes:
        yield " ".join(notes)


# -- findings ------------------------------------------------------------------------------------------------------


def _findings(trained: Trained) -> Iterator[str]:
    found, times = find(trained), list(speedups(trained))
    yield "## What the paper finds, and what these runs say"
    yield (
        "Each difference is between two networks of one setting and formulation on the same data and split, in "
        "percentage points of accuracy. A finding is confirmed where the mean difference and most splits point its "
        "way, contradicted where both point the other way, else open."
    )
    yield f"### Sparsity improves test accuracy over {ROSENHAHN_PLAIN}"
    yield from _table(
        ("setting", "formulation", "variant"), ("splits", "difference", "better", "equal", "worse", "finding"),
        (
            [*_names(one), "all" if variant is None else _variant(variant), *_difference(difference)]
            for one in found
            for variant, difference in one.sparse.items()
            if difference.pairs
        ),
    )  # fmt: skip
    yield f"### {ROSENHAHN_PLAIN} overfits"
    yield "Mean accuracy on training and on test samples; confirmed where the excess is above 0 and that of the others."
    yield from _table(
        ("setting", "formulation", "variants"), ("networks", "train", "test", "excess", "finding"),
        (
            [*_names(one), what, str(own.networks), _percent(own.train), _percent(own.test), _points(own.excess),
             _finding(one.overfits) if own is one.plain else ""]
            for one in found
            for what, own in ((ROSENHAHN_PLAIN, one.plain), ("the others", one.others))
            if own.networks
        ),
    )  # fmt: skip
    yield "### The weights' sparsity matters most"
    yield "Each term switched on, beside the same other terms without it; int is left out."
    yield from _table(
        ("setting", "formulation", "term"), ("splits", "difference", "better", "equal", "worse", "finding"),
        (
            [*_names(one), flag, *_difference(difference)[:-1],
             _finding(one.weights_matter_most) if flag == ROSENHAHN_FLAGS[0] else ""]
            for one in found
            for flag, difference in one.by_flag.items()
            if difference.pairs
        ),
    )  # fmt: skip
    yield "### Beyond the paper: plain over tight"
    yield (
        f"Shifted geometric means of seconds, shift {SHIFT_SECONDS:g} s, over the problems that a setting ran in both "
        "formulations; a run that is not solved counts as its limit."
    )
    yield from _table(
        ("setting",), ("pairs", "plain solved", "tight solved", "plain s", "tight s", "ratio"),
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


def _difference(found: Difference) -> list[str]:
    counts = map(str, (found.better, found.equal, found.worse))
    return [str(found.pairs), _points(found.mean), *counts, _finding(found.improves)]


def _finding(holds: bool | None) -> str:
    return {True: "confirmed", False: "contradicted", None: "open"}[holds]


# -- tables --------------------------------------------------------------------------------------------------------


def _by_data(
    rows: Sequence[Row],
    names: Sequence[str],
    numbers: Sequence[str],
    cells: Callable[[Data, list[Row]], Iterator[list[str]]],
) -> Iterator[str]:
    """Yield a heading and a table for the rows about each data set, and for those that only the paper has."""
    for data, own in groupby(rows, key=lambda row: row.data):
        yield f"### {_about(data)}"
        yield "\n".join(markdown_table((*names, "source"), numbers, cells(data, list(own))))
    for dataset, samples in ROSENHAHN_SAMPLES.items():
        if not any(row.data.dataset == dataset for row in rows):
            data = Data(dataset, samples, None, ROSENHAHN_NEURONS)
            known = [line for line in cells(data, []) if any(cell != NONE for cell in line[len(names) + 1 :])]
            if known:
                yield f"### {dataset}: not in these runs"
                yield "\n".join(markdown_table((*names, "source"), numbers, known))


def _about(data: Data) -> str:
    shape = f"{NONE if data.samples is None else data.samples} x {NONE if data.features is None else data.features}"
    neurons = "" if data.neurons is None else f", {count(data.neurons, 'neuron')}"
    return markdown_text(f"{plain(data.dataset or NONE)}: {shape}{neurons}")


def _variant(variant: str) -> str:
    note = " (Thorbjarnarson and Yorke-Smith)" if variant == ROSENHAHN_PRIOR else ""
    return plain(variant) + note


def _network_cells(data: Data, rows: list[NetworkRow]) -> Iterator[list[str]]:
    for variant, own in groupby(rows, key=lambda row: row.variant):
        for row in own:
            label = plain(row.setting.label) + ("" if row.ranked else ", not ranked")
            yield [_variant(variant), label, plain(row.formulation), "ours", *_network_numbers(row)]
        if _has_variant(data, variant):
            yield [_variant(variant), NONE, NONE, "paper", *[NONE] * len(_NETWORK_NUMBERS)]
    if data.dataset in ROSENHAHN_ACCURACIES:
        what, accuracy = ROSENHAHN_ACCURACIES[data.dataset]
        known = [f"about {format_percent(accuracy)}" if name == "test accuracy" else NONE for name in _NETWORK_NUMBERS]
        yield [what, NONE, NONE, "paper", *known]


def _network_numbers(row: NetworkRow) -> list[str]:
    deviation = "" if row.deviation is None else f" ± {100 * row.deviation:.1f}"
    accuracy = NONE if row.test_accuracy is None else f"{100 * row.test_accuracy:.1f}{deviation}%"
    sizes = (NONE if value is None else f"{value:.1f}" for value in (row.weights, row.activations, row.neurons))
    return [
        str(row.runs), str(row.without), accuracy, _percent(row.train_accuracy), *sizes, format_number(row.objective)
    ]  # fmt: skip


def _time_cells(data: Data, rows: list[TimeRow]) -> Iterator[list[str]]:
    for variant, own in groupby(rows, key=lambda row: row.variant):
        for row in own:
            names = [_variant(variant), plain(row.setting.label), plain(row.formulation), "ours"]
            seconds = map(format_number, (row.mean, row.shortest, row.longest))
            yield [*names, str(row.runs), str(row.solved), *seconds, str(row.at_limit), _percent(row.gap)]
        if _has_variant(data, variant):
            yield _printed_time(data, variant)
    there = {row.variant for row in rows}
    yield from (_printed_time(data, name) for of, name in ROSENHAHN_TIMES if of == data.dataset and name not in there)


def _printed_time(data: Data, variant: str) -> list[str]:
    printed = ROSENHAHN_TIMES.get((data.dataset or "", variant))
    mean, gap = (None, None) if printed is None else (printed.seconds, printed.gap)
    numbers = [NONE, NONE, format_number(mean), NONE, NONE, NONE, _percent(gap)]
    return [_variant(variant), NONE, NONE, "paper", *numbers]


def _size_cells(data: Data, rows: list[SizeRow]) -> Iterator[list[str]]:
    for row in rows:
        sizes = map(_range, (row.columns, row.inequalities, row.equalities, row.nonzeros))
        yield [_variant(row.variant), plain(row.formulation), "ours", *sizes, format_number(row.encode_seconds)]
    printed = ROSENHAHN_SIZES.get(data.dataset or "")
    if printed is not None:
        what = f"up to {ROSENHAHN_NEURONS} neurons, {printed.samples} x {printed.features}"
        yield [what, NONE, "paper", f"{printed.columns:,}", f"{printed.rows:,}", NONE, NONE, NONE]
    elif data.dataset in ROSENHAHN_SAMPLES and rows:
        yield [NONE, NONE, "paper", *[NONE] * len(_SIZE_NUMBERS)]


def _has_variant(data: Data, variant: str) -> bool:
    """Return whether the paper has this variant on these data."""
    return data.dataset in ROSENHAHN_SAMPLES and variant in ROSENHAHN_VARIANTS


def _range(numbers: tuple[int, int] | None) -> str:
    if numbers is None:
        return NONE
    return f"{numbers[0]:,}" if numbers[0] == numbers[1] else f"{numbers[0]:,} to {numbers[1]:,}"


def _percent(share: float | None) -> str:
    return format_percent(share, 1)


def _points(share: float | None) -> str:
    return NONE if share is None else f"{round(100 * share, 1) + 0.0:+.1f}"  # adding 0 turns -0.0 into 0.0
