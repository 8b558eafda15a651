"""Tables 3 to 5 of [R] (Rosenhahn 2023) as markdown: one table for each data set, with what the paper's text prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from vnnbench.leaderboard.papers.values import (
    ROSENHAHN_ACCURACIES,
    ROSENHAHN_NEURONS,
    ROSENHAHN_PRIOR,
    ROSENHAHN_SAMPLES,
    ROSENHAHN_SIZES,
    ROSENHAHN_TIMES,
    PrintedTime,
)
from vnnbench.leaderboard.text import NONE, count, format_number, format_percent, markdown_table, markdown_text

Row = TypeVar("Row", NetworkRow, TimeRow, SizeRow)

_TABLE_3 = """\
Means over the runs with a network: accuracy on the test samples with its standard deviation, accuracy on the training
samples, hidden weights that are not 0, steps of hidden neurons that are 1 over all training samples, neurons that have
one, and the objective. without: runs without a network. A setting that is "not ranked" is a heuristic beside the
solvers: what it reaches in the same time, whatever the formulation."""
_TABLE_4 = """\
Seconds until the solver stopped, at most the limit: mean, least and most. solved: optimal within the limit. at limit:
stopped by it; gap: between their confirmed value and their bound, mean in percent of the larger one, 100% where one is
missing. Ranked solvers only. The paper's text prints one time each for two data sets; it names the variant of ovarian,
and that of wine follows from the context."""
_TABLE_5 = """\
After each data set stands Train, training samples x features. f: columns. A, Aeq: inequality and equality rows. encode:
mean seconds to build and write a model. Ranges are over the splits."""

_NETWORK_NUMBERS = (
    "runs", "without", "test accuracy", "train accuracy", "weights", "activations", "neurons", "objective",
)  # fmt: skip
_TIME_NUMBERS = ("runs", "solved", "mean s", "min s", "max s", "at limit", "gap")
_SIZE_NUMBERS = ("f", "A", "Aeq", "nonzeros", "encode s")
_PAPER = "paper"


def render_tables(trained: Trained) -> Iterator[str]:
    """Yield the parts of the report, in markdown, that are Tables 3 to 5."""
    yield "## Table 3: accuracy and size of the networks"
    yield _TABLE_3
    names = ("variant", "setting", "formulation")
    yield from _by_data(list(network_rows(trained)), names, _NETWORK_NUMBERS, _network_cells)
    yield "## Table 4: times"
    yield _TABLE_4
    yield from _by_data(list(time_rows(trained)), names, _TIME_NUMBERS, _time_cells)
    yield "## Table 5: sizes of the models"
    yield _TABLE_5
    yield from _by_data(list(size_rows(trained)), ("variant", "formulation"), _SIZE_NUMBERS, _size_cells)


def variant_name(variant: str) -> str:
    """Return the name of a variant, with its authors if they are not the paper's."""
    note = " (Thorbjarnarson and Yorke-Smith)" if variant == ROSENHAHN_PRIOR else ""
    return plain(variant) + note


def _by_data(
    rows: Sequence[Row],
    names: Sequence[str],
    numbers: Sequence[str],
    cells: Callable[[Data, list[Row]], Iterator[list[str]]],
) -> Iterator[str]:
    """Yield a heading and a table for the rows about each data set, and for those that only the paper has."""
    for data, own in groupby(rows, key=lambda row: row.data):
        yield f"### {_about(data)}"
        yield "\n".join(markdown_table(names, numbers, cells(data, list(own))))
    there = {row.data.dataset for row in rows if row.data.is_of_paper}
    for dataset, samples in ROSENHAHN_SAMPLES.items():
        printed = list(cells(Data(dataset, samples, None, ROSENHAHN_NEURONS), []))
        if printed and dataset not in there:
            yield f"### {dataset}, {samples} training samples, {ROSENHAHN_NEURONS} neurons: only in the paper"
            yield "\n".join(markdown_table(names, numbers, printed))


def _about(data: Data) -> str:
    shape = f"{NONE if data.samples is None else data.samples} x {NONE if data.features is None else data.features}"
    neurons = "" if data.neurons is None else f", {count(data.neurons, 'neuron')}"
    return markdown_text(f"{plain(data.dataset or NONE)}: {shape}{neurons}")


def _network_cells(data: Data, rows: list[NetworkRow]) -> Iterator[list[str]]:
    for row in rows:
        label = plain(row.setting.label) + ("" if row.ranked else ", not ranked")
        yield [variant_name(row.variant), label, plain(row.formulation), *_network_numbers(row)]
    if data.is_of_paper and data.dataset in ROSENHAHN_ACCURACIES:
        what, accuracy = ROSENHAHN_ACCURACIES[data.dataset]
        known = [f"about {format_percent(accuracy)}" if name == "test accuracy" else NONE for name in _NETWORK_NUMBERS]
        yield [what, _PAPER, NONE, *known]


def _network_numbers(row: NetworkRow) -> list[str]:
    deviation = "" if row.deviation is None else f" ± {100 * row.deviation:.1f}"
    accuracy = NONE if row.test_accuracy is None else f"{100 * row.test_accuracy:.1f}{deviation}%"
    sizes = (NONE if value is None else f"{value:.1f}" for value in (row.weights, row.activations, row.neurons))
    return [
        str(row.runs), str(row.without), accuracy, format_percent(row.train_accuracy, 1), *sizes,
        format_number(row.objective),
    ]  # fmt: skip


def _time_cells(data: Data, rows: list[TimeRow]) -> Iterator[list[str]]:
    printed = {name: time for (of, name), time in ROSENHAHN_TIMES.items() if data.is_of_paper and of == data.dataset}
    for variant, own in groupby(rows, key=lambda row: row.variant):
        for row in own:
            seconds = map(format_number, (row.mean, row.shortest, row.longest))
            yield [
                variant_name(variant), plain(row.setting.label), plain(row.formulation), str(row.runs), str(row.solved),
                *seconds, str(row.at_limit), format_percent(row.gap, 1),
            ]  # fmt: skip
        if variant in printed:
            yield _printed_time(variant, printed.pop(variant))
    yield from (_printed_time(variant, time) for variant, time in printed.items())


def _printed_time(variant: str, time: PrintedTime) -> list[str]:
    numbers = [NONE, NONE, format_number(time.seconds), NONE, NONE, NONE, format_percent(time.gap, 1)]
    return [variant_name(variant), _PAPER, NONE, *numbers]


def _size_cells(data: Data, rows: list[SizeRow]) -> Iterator[list[str]]:
    for row in rows:
        sizes = map(_range, (row.columns, row.inequalities, row.equalities, row.nonzeros))
        yield [variant_name(row.variant), plain(row.formulation), *sizes, format_number(row.encode_seconds)]
    if data.is_of_paper and data.dataset in ROSENHAHN_SIZES:
        printed = ROSENHAHN_SIZES[data.dataset]
        what = f"{_PAPER}: up to {ROSENHAHN_NEURONS} neurons, {printed.samples} x {printed.features}"
        yield [what, NONE, f"{printed.columns:,}", f"{printed.rows:,}", NONE, NONE, NONE]


def _range(numbers: tuple[int, int] | None) -> str:
    if numbers is None:
        return NONE
    return f"{numbers[0]:,}" if numbers[0] == numbers[1] else f"{numbers[0]:,} to {numbers[1]:,}"
