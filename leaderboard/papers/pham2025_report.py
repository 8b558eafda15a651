"""The report on [P] (Pham et al.) as markdown: coverage, its observations, its tables beside ours, the sections."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from vnnbench.common.text import plain
from vnnbench.leaderboard.papers.observations import Claim, named_verdicts, verdict_table
from vnnbench.leaderboard.papers.pham2025 import FIGURES, PanelRow, Scatter, Section
from vnnbench.leaderboard.papers.pham2025_observations import CONCLUSIONS, Observed
from vnnbench.leaderboard.papers.pham2025_tables import Cell, TableRow
from vnnbench.leaderboard.papers.values import (
    PHAM_DATASETS,
    PHAM_FIGURE_PERCENT,
    PHAM_PAIRS,
    PHAM_RATES,
    PHAM_SETUP,
    PHAM_TABLES,
)
from vnnbench.leaderboard.ranking import aggregates
from vnnbench.leaderboard.ranking.ranks import SIGNIFICANCE
from vnnbench.leaderboard.ranking.sign_flips import FEWEST
from vnnbench.leaderboard.records.settings import Setting
from vnnbench.leaderboard.tables.phrases import describe_left_out, describe_limits, describe_setting
from vnnbench.leaderboard.text import NONE, count, format_number, format_percent, markdown_table, markdown_text, span

_TITLE = """\
# Pham et al. 2025, from these runs

Pham, Ren, Tahir, Tong, Serra: Optimization over Trained (and Sparse) Neural Networks: A Surrogate within a Surrogate,
[arXiv:2505.01985](https://arxiv.org/abs/2505.01985)."""

_VERDICTS = f"""\
How many settings, each in its formulation, confirm or contradict it. Confirmed: all its claims hold with p at most
{SIGNIFICANCE:.0%}; contradicted: one fails with p at most {SIGNIFICANCE:.0%} divided by their number, as by chance
alone in one of 40; too few: no claim has pairs on {FEWEST} images; p: of a sign-flip test over images. A conclusion
follows from its observations."""

_READING = """\
## How to read the numbers

A pair is one problem, solved once on the dense network and once on a surrogate, by the same setting, with the same
seed and permutation, in the same formulation. A run's time is that of its first counterexample, confirmed on the dense
network in exact arithmetic; a run without one counts as its time limit. A percentage is the share of all pairs in which
that side was strictly faster; the rest are ties.

Of the paper's figures only the percentages that its text prints are on hand; others are dashes. Its text prints 93.5 %
for MNIST without finetuning at rate 0.9, where its Table 1 and the 91.2 % of Fashion-MNIST, 73 of 80, imply 93.75 %,
75 of 80."""


def render(
    sections: Sequence[Section],
    tables: Sequence[TableRow],
    observed: Sequence[Observed],
    names: Mapping[tuple[int, int], str],
) -> str:
    """Return the whole report as markdown, the most important first.

    tables: the rows of the paper's tables from these runs. names: the file name, without its ending, of each figure, by
    section index and figure number.
    """
    parts = [
        markdown_text(first_line(sections)),
        _TITLE,
        *_verdicts(observed),
        *(part for table in PHAM_TABLES for part in _printed_table(table, tables)),
        _READING,
        *_claims(observed),
        "## How often each side is faster",
        "Surrogate faster / dense faster, in percent of the pairs, by pruning rate.",
        "\n".join(_shares(sections)),
        "## Accuracy and counterexamples of pruned networks",
        "acc: mean test accuracy in percent, where it is known. cex: pairs in which that side found a counterexample. "
        "speed-up: dense time / surrogate time, geometric mean over the pairs, above 1 if the surrogate is faster.",
        "\n".join(_findings(sections)),
    ]
    for index, section in enumerate(sections):
        parts += _section(section, {number: name for (at, number), name in names.items() if at == index})
    return "\n\n".join(parts) + "\n"


def first_line(sections: Sequence[Section]) -> str:
    """Return one line on what these runs lack compared with the paper, with ranges if sections differ."""
    compared = [section for section in sections if section.figures]
    counts, complete = [], True
    runs_of = {(section.setting, section.formulation) for section in compared}
    for dataset in PHAM_DATASETS:
        there = {(s.setting, s.formulation): s.in_design for s in compared if s.dataset == dataset}
        pairs = [there.get(one, (0, 0)) for one in runs_of] or [(0, 0)]
        without, finetuned = ([pair[at] for pair in pairs] for at in (0, 1))
        complete &= min(*without, *finetuned) >= PHAM_PAIRS
        counts.append(f"{dataset} {span(without)} and {span(finetuned)}")
    networks = list(dict.fromkeys(name for section in compared for name in section.networks))
    head = (
        "All pairs of the paper"
        if complete
        else f"Smaller than the paper: of its {PHAM_PAIRS:,} pairs without and {PHAM_PAIRS:,} with finetuning per data "
        f"set, for each setting and formulation: {', '.join(counts)}"
    )
    other = sorted({plain(section.dataset) for section in compared} - set(PHAM_DATASETS))
    return (
        f"{head}; networks {', '.join(networks)}"
        + (f"; data not in the paper: {', '.join(other)}" if other else "")
        + f"; {describe_limits([section.setting for section in compared])} (the paper: {PHAM_SETUP})."
    )


def _verdicts(observed: Sequence[Observed]) -> Iterator[str]:
    """Yield the table of verdicts on the paper's observations and conclusions, over all settings and formulations."""
    if not observed:
        return
    yield "## The paper's observations in these runs"
    yield _VERDICTS
    texts = {one.number: one.text for one in observed[0].observations} | {
        n: text for n, (text, _) in CONCLUSIONS.items()
    }
    found = [{one.number: one.verdict for one in own.observations} | own.conclusions for own in observed]
    yield verdict_table((number, text, [own[number] for own in found]) for number, text in texts.items())
    runs_of = [plain(f"{own.setting.label} {own.formulation}") for own in observed]
    own_verdicts = [{one.number: one.verdict for one in own.observations} for own in observed]
    if named := named_verdicts(zip(runs_of, own_verdicts, strict=True)):
        yield markdown_text(named)


def _claims(observed: Sequence[Observed]) -> Iterator[str]:
    """Yield the claims of every observation with their means and tests, by setting and formulation."""
    if not observed:
        return
    yield "## The claims of each observation"
    yield (
        "mean: by how many percentage points a claim holds (+) or fails (-) over the pairs; or the geometric mean of a "
        "factor (x), which holds above 1. p: of the sign-flip test over the images of these pairs."
    )
    rows = [
        [
            plain(f"{own.setting.label} {own.formulation}"), one.number, str(one.verdict), claim.text,
            _mean(claim), str(claim.pairs), str(claim.problems), f"{claim.p:.2g}" if claim.pairs else NONE,
        ]
        for own in observed
        for one in own.observations
        for claim in one.claims
    ]  # fmt: skip
    yield "\n".join(markdown_table(["runs of", "", "verdict", "claim"], ["mean", "pairs", "images", "p"], rows))


def _mean(claim: Claim) -> str:
    if claim.mean is None:
        return NONE
    return f"{format_number(math.exp(claim.mean))}x" if claim.is_factor else f"{100 * claim.mean:+.1f}"


def _printed_table(table: int, rows: Sequence[TableRow]) -> Iterator[str]:
    """Yield one of the paper's tables beside ours, cell by cell, for each formulation; that with most pairs first."""
    over = {1: "by structure and finetuning", 2: "without finetuning, both structures together"}[table]
    own = [row for row in rows if row.table == table]
    pairs: Counter[str] = Counter()
    for row in own:
        pairs[row.formulation] += sum(cell.pairs for cell in row.cells)
    for formulation, _ in pairs.most_common():
        yield f"## {markdown_text(plain(f'Table {table} of the paper beside these runs: {formulation}'))}"
        yield (
            f"Percent of the pairs of magnitude pruning in which the surrogate is sooner, {over}; in brackets our "
            "difference from the paper; a column of one data set names it."
        )
        yield "\n".join(_cell_by_cell(table, [row for row in own if row.formulation == formulation]))


def _cell_by_cell(table: int, rows: Sequence[TableRow]) -> list[str]:
    settings = list(dict.fromkeys(row.setting for row in rows))
    cells = {(row.name, row.setting): row.cells for row in rows}
    lines = []
    for name, percents in PHAM_TABLES[table].items():
        words = name.split(" ", 1)  # below each other, so that no line is longer for it
        for place, (rate, percent) in enumerate(zip(PHAM_RATES, percents, strict=True)):
            of_rate = [cells[name, one][place] if (name, one) in cells else Cell(None, 0) for one in settings]
            numbers = [str(cell.pairs) for cell in of_rate]
            pairs = "/".join(numbers if len(set(numbers)) > 1 else numbers[:1])
            beside = [_beside(cell, percent) for cell in of_rate]
            lines.append([words[place] if place < 2 else "", f"{rate:g}", f"{percent:.1f}", *beside, pairs])
    columns = ["rate", "paper", *(_of_datasets(one, rows) for one in settings), "pairs"]
    return markdown_table(["pairs of"], columns, lines)


def _of_datasets(setting: Setting, rows: Sequence[TableRow]) -> str:
    """Return the label of a setting, with its data sets where these are not all of the paper's."""
    ran = {dataset for row in rows if row.setting == setting for dataset in row.datasets}
    left = [dataset for dataset in PHAM_DATASETS if dataset in ran]
    return plain(setting.label if len(left) == len(PHAM_DATASETS) else f"{setting.label}, {' and '.join(left)}")


def _beside(cell: Cell, percent: float) -> str:
    """Return our number and its difference from the paper's."""
    return NONE if cell.percent is None else f"{cell.percent:.1f} ({cell.percent - percent:+.1f})"


def _rows(sections: Sequence[Section]) -> Iterator[tuple[list[str], Scatter, PanelRow]]:
    """Yield every row of panels with the cells that identify it."""
    for section in sections:
        for figure in section.figures:
            for row in figure.rows:
                names = [section.setting.label, section.formulation, section.dataset, row.kind]
                yield [plain(name) for name in names], figure, row


def _shares(sections: Sequence[Section]) -> list[str]:
    columns = [f"{rate:g}" for rate in PHAM_RATES]
    rows, papers = [], []
    for names, figure, row in _rows(sections):
        what = f"{figure.number}: {FIGURES[figure.number]}"
        cells = [_two_shares(panel.surrogate_faster, panel.dense_faster) for panel in row.panels]
        rows.append([*names, what, str(sum(panel.pairs for panel in row.panels)), *cells])
        papers.append(["Pham et al.", NONE, *names[2:], what, NONE, *_printed_shares(names[2:], figure.number)])
    distinct = [list(row) for row in dict.fromkeys(map(tuple, papers)) if row[2] in PHAM_DATASETS]
    names = ["setting", "formulation", "data set", "pruned", "figure"]
    return markdown_table(names, ["pairs", *columns], [*rows, *distinct])


def _printed_shares(names: Sequence[str], figure: int) -> list[str]:
    """Return what the text of the paper prints of a figure's row of panels; names: its data set and kind of pruning."""
    dataset, kind = names
    known = PHAM_FIGURE_PERCENT.get((dataset, figure)) if kind == "magnitude unstructured" else None
    return [f"{known} / {NONE}" if known is not None and rate == 0.9 else f"{NONE} / {NONE}" for rate in PHAM_RATES]


def _two_shares(surrogate: float | None, dense: float | None) -> str:
    return " / ".join(format_percent(share).removesuffix("%") for share in (surrogate, dense))


def _findings(sections: Sequence[Section]) -> list[str]:
    columns = ["pairs", "acc dense", "acc surr.", "cex dense", "cex surr.", "cex both", "speed-up"]
    rows = []
    for names, figure, row in _rows(sections):
        if figure.number == 3:  # it has the same runs as Figure 2
            continue
        finetuned = " ft" if figure.number == 2 else ""
        for panel in row.panels:
            if panel.pairs:
                accuracies = (panel.dense_accuracy, panel.surrogate_accuracy)
                found = (panel.dense_found, panel.surrogate_found, int(np.sum(~panel.at_limit)))
                speed_up = aggregates.geometric_mean_ratio(panel.dense_seconds, panel.surrogate_seconds)
                cells = [
                    str(panel.pairs),
                    *(NONE if accuracy is None else f"{100 * accuracy:.1f}" for accuracy in accuracies),
                    *map(str, found),
                    format_number(speed_up),
                ]
                rows.append([*names[:3], f"{names[3]} {panel.rate:g}{finetuned}", *cells])
    return markdown_table(["setting", "formulation", "data set", "pruned"], columns, rows)


def _section(section: Section, names: Mapping[int, str]) -> Iterator[str]:
    title = markdown_text(plain(f"{section.setting.label}, {section.formulation}, {section.dataset}"))
    yield f"## {title}"
    dense = f"Problems on dense networks: {section.dense_problems} ({', '.join(section.networks)})."
    left_out = describe_left_out(section.refused, section.missing, section.wrong, section.cpus)
    yield markdown_text(f"{describe_setting(section.setting)}. {dense} {left_out}")
    for figure in section.figures:
        if figure.number == 3:
            yield f"Figure 3 adds the seconds that finetuning one network alone took. {_timing(figure)}"
        if figure.number in names:
            name = names[figure.number]
            what = f"Figure {figure.number}: {title}, surrogates {FIGURES[figure.number]}"
            yield f"![{what}]({name}.png)"
            yield f"{what}. As [SVG]({name}.svg)."
    absent = [number for number in FIGURES if number not in names]
    if absent:
        yield f"No pair is there for {' and '.join(f'Figure {number} ({FIGURES[number]})' for number in absent)}."


def _timing(figure: Scatter) -> str:
    known = figure.pairs - figure.shared_time
    notes = [f"That was measured for {known} of these {figure.pairs} pairs."]
    if figure.shared_time:
        notes.append(f"For the other {figure.shared_time} it is the network's share of its batch's time.")
    if figure.untimed:
        verb = "is" if figure.untimed == 1 else "are"
        notes.append(f"{count(figure.untimed, 'pair')} without either time {verb} left out.")
    return " ".join(notes)
