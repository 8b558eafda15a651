"""The figures and tables of a paper from a ledger: a markdown report, with figures as PNG and SVG beside it.

The first line says how the runs are fewer or shorter than the paper's; `values` holds the known facts about those.
Everything from the ledger is escaped. Each setting and formulation has its own section: they are never pooled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import pandas as pd

from vnnbench.leaderboard.papers import (
    cacciola2024,
    cacciola2024_report,
    pham2025,
    pham2025_observations,
    pham2025_report,
    pham2025_tables,
    rosenhahn2023,
    rosenhahn2023_report,
)
from vnnbench.leaderboard.ranking.reference import without_reference
from vnnbench.leaderboard.text import count, markdown_text
from vnnbench.leaderboard.words import LedgerError, Paper


class ReportError(LedgerError):
    """The ledger lacks the runs that a report needs; the message names them."""


PLANES_LEGEND = (
    "The best network of any run on the first split of each problem with two features: its predicted classes, its "
    "hidden neurons as lines, training samples filled, test samples hollow."
)


@dataclass(frozen=True, slots=True)
class Report:
    """A report. text: markdown; figures: files beside it, by name; wrong: its runs with fault solver or formulation."""

    text: str
    figures: dict[str, bytes]
    wrong: int


def make_report(runs: pd.DataFrame, paper: Paper, planes: Mapping[str, bytes] = MappingProxyType({})) -> Report:
    """Make a paper's figures and tables from these runs.

    planes: pictures of decision planes (PNG) by problem, which follow the tables. Raises `ReportError`.
    """
    makers = {Paper.PHAM2025: _pham2025, Paper.CACCIOLA2024: _cacciola2024, Paper.ROSENHAHN2023: _rosenhahn2023}
    return _with_planes(makers[paper](runs), planes)


def _with_planes(report: Report, planes: Mapping[str, bytes]) -> Report:
    if not planes:
        return report
    names = {problem: f"planes-{re.sub(r'[^a-z0-9-]+', '-', problem.lower())[:100]}.png" for problem in planes}
    lines = ["", "## Decision planes", "", PLANES_LEGEND]
    for problem, name in names.items():
        lines += ["", f"{markdown_text(problem)}:", "", f"![Decision planes]({name})"]
    figures = report.figures | {name: planes[problem] for problem, name in names.items()}
    return replace(report, text=report.text + "\n".join(lines) + "\n", figures=figures)


def _pham2025(runs: pd.DataFrame) -> Report:
    pairs, settings = pham2025.pairs_of(without_reference(runs))
    sections = pham2025.build_sections(pairs, settings)
    if not any(section.figures for section in sections):
        raise ReportError(
            "--paper pham2025: this ledger has no problem run with goal find or decide both on a dense network and on "
            f"one pruned by magnitude or at random at a rate of the paper{_left_out(sections)}"
        )
    from vnnbench.leaderboard.papers.pham2025_figures import (
        draw_scatter,  # imported here: matplotlib takes a second to load, and only this command needs it
    )

    names = _figure_names(sections)
    figures = {
        f"{name}.{ending}": data
        for (index, number), name in names.items()
        for figure in sections[index].figures
        if figure.number == number
        for ending, data in draw_scatter(sections[index], figure).items()
    }
    return Report(
        pham2025_report.render(
            sections,
            pham2025_tables.table_rows(pairs, settings),
            pham2025_observations.observe(pairs, settings),
            names,
        ),
        figures,
        sum(section.wrong for section in sections),
    )


def _cacciola2024(runs: pd.DataFrame) -> Report:
    sections = cacciola2024.build_sections(without_reference(runs))
    if not any(section.rows for section in sections):
        raise ReportError(
            "--paper cacciola2024: this ledger has no problem of radius 5 or 20 run with goal find or decide both on a "
            f"baseline and on its network of pruning spr{_left_out(sections)}"
        )
    return Report(cacciola2024_report.render(sections), {}, sum(section.wrong for section in sections))


def _rosenhahn2023(runs: pd.DataFrame) -> Report:
    trained = rosenhahn2023.read_trained(runs)
    if trained.runs.empty:
        refused = f" ({count(trained.refused, 'run')} refused or interrupted)" if trained.refused else ""
        raise ReportError(
            "--paper rosenhahn2023: this ledger has no problem of training a network, which is an instance with a "
            f"variant{refused}"
        )
    return Report(rosenhahn2023_report.render(trained), {}, trained.wrong)


def _left_out(sections: Iterable[pham2025.Section | cacciola2024.Section]) -> str:
    refused, missing = (sum(getattr(s, name) for s in sections) for name in ("refused", "missing"))
    return f" ({refused} pairs refused or interrupted, {missing} with one side not run)" if refused or missing else ""


def _figure_names(sections: Sequence[pham2025.Section]) -> dict[tuple[int, int], str]:
    """Return the file name, without its ending, of each figure that has a pair, by section and number."""
    names: dict[tuple[int, int], str] = {}
    for index, section in enumerate(sections):
        for figure in section.figures:
            if figure.pairs:
                words = f"figure {figure.number} {section.setting.label} {section.formulation} {section.dataset}"
                name = re.sub(r"[^a-z0-9.=]+", "-", words.lower())[:80].strip("-.")
                names[index, figure.number] = name if name not in names.values() else f"{name}-{index + 1}"
    return names
