"""The report on [C] (Cacciola, Frangioni, Lodi) as markdown: coverage, and two tables in each section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from vnnbench.common.text import plain
from vnnbench.leaderboard.papers.cacciola2024 import Row, Section, Side
from vnnbench.leaderboard.papers.values import (
    CACCIOLA_ARCHITECTURES,
    CACCIOLA_BASELINES,
    CACCIOLA_LIMIT_SECONDS,
    CACCIOLA_NETWORKS,
    CACCIOLA_PAIRS,
    CACCIOLA_PRUNED,
    CACCIOLA_RADII,
    CACCIOLA_SETUP,
    AuthorRun,
)
from vnnbench.leaderboard.tables.phrases import describe_left_out, describe_limits, describe_setting
from vnnbench.leaderboard.text import NONE, format_number, markdown_table, markdown_text, span

_INTRODUCTION = """\
# Cacciola, Frangioni, Lodi 2024, from these runs

Cacciola, Frangioni, Lodi: Structured Pruning of Neural Networks for Constraints Learning, Operations Research Letters
2024, [arXiv:2307.07457](https://arxiv.org/abs/2307.07457).

Each row is a mean over networks: test accuracy; hidden neurons of the network as stored; binaries of the model; seconds
until the solver stopped, at most the limit; branch-and-bound nodes; in brackets the number of runs with a known value,
if not all. found: a counterexample, confirmed on the baseline in exact arithmetic, also through the pruned network;
ruled out: claimed by the solver, for a baseline only; limit: stopped by the time limit; neither: stopped earlier
without either, which for a pruned network may mean that it has no counterexample itself.
Here a pruned network's run continues until the solver is done, because its bound says nothing about the baseline; the
authors stop every run as soon as its bound rules out a counterexample to its own network.

The values printed in the paper are not available here and are shown as dashes. The rows "authors' files" are the mean
over the three networks in the result files of the first author,
<https://github.com/MCacciola94/my_gurobi-machinelearning>; they may differ from the printed values, and those for
radius 20 are not available."""

_NAMES = ("network", "radius", "pruned", "source")
_NUMBERS = ("runs", "accuracy", "hidden", "binaries", "seconds", "nodes", "outcome")


def render(sections: Sequence[Section]) -> str:
    """Return the whole report as markdown."""
    parts = [markdown_text(first_line(sections)), _INTRODUCTION]
    for section in sections:
        parts += _section(section)
    return "\n\n".join(parts) + "\n"


def first_line(sections: Sequence[Section]) -> str:
    """Return one line on what these runs lack compared with the paper, with ranges if sections differ."""
    compared = [section for section in sections if section.rows]
    pairs = [sum(row.in_design for row in section.rows) for section in compared]
    settings = [section.setting for section in compared]
    if max(pairs) == 0:
        head = "None of the paper's problems: all runs are on other data or networks"
    elif min(pairs) < CACCIOLA_PAIRS:
        head = (
            f"Smaller than the paper: {span(pairs)} of its {CACCIOLA_PAIRS} pairs of baseline and pruned network "
            f"({len(CACCIOLA_ARCHITECTURES)} architectures, {CACCIOLA_NETWORKS} networks, radii 5 and 20) for each "
            "setting and formulation"
        )
    else:
        head = f"All {CACCIOLA_PAIRS} pairs of the paper, for each setting and formulation"
    limits = [setting.time_limit_seconds or CACCIOLA_LIMIT_SECONDS for setting in settings]
    shorter = min(limits) < CACCIOLA_LIMIT_SECONDS
    theirs = "shorter than in the authors' files" if shorter else "the authors' files"
    return f"{head}; {describe_limits(settings)} ({theirs}: {CACCIOLA_SETUP})."


def _section(section: Section) -> Iterator[str]:
    yield f"## {markdown_text(plain(f'{section.setting.label}, {section.formulation}'))}"
    left_out = describe_left_out(section.refused, section.missing, section.wrong, section.machines)
    yield markdown_text(f"{describe_setting(section.setting)}. {left_out}")
    for number, radius in enumerate(CACCIOLA_RADII, 1):
        rows = [row for row in section.rows if row.radius == radius]
        yield f"### Table {number}: radius {radius:g}"
        table = "\n".join(markdown_table(_NAMES, _NUMBERS, _cells(rows)))
        yield table if rows else "These runs have no pair of this radius."


def _cells(rows: Sequence[Row]) -> Iterator[list[str]]:
    for row in rows:
        sides = (("no", row.baseline, CACCIOLA_BASELINES), ("yes", row.pruned, CACCIOLA_PRUNED))
        for pruned, side, authors in sides:
            names = [f"{row.architecture[0]}x{row.architecture[1]}", f"{row.radius:g}", pruned]
            yield [*names, "ours", *_ours(side)]
            yield [*names, "paper", *[NONE] * len(_NUMBERS)]
            if row.in_design and row.radius == CACCIOLA_RADII[0] and row.architecture in authors:
                yield [*names, "authors' files", *_authors(authors[row.architecture])]


def _ours(side: Side) -> list[str]:
    runs = side.found + side.ruled_out + side.limit + side.neither
    numbers = {
        "accuracy": _percent(side.accuracy),
        **{name: _whole(getattr(side, name)) for name in ("hidden", "binaries")},
        "seconds": format_number(side.seconds),
        "nodes": _whole(side.nodes),
    }
    outcomes = {"found": side.found, "ruled out": side.ruled_out, "limit": side.limit, "neither": side.neither}
    return [
        str(runs),
        *(text + (f" ({side.known[name]})" if 0 < side.known[name] < runs else "") for name, text in numbers.items()),
        ", ".join(f"{count} {name}" for name, count in outcomes.items() if count),
    ]


def _authors(runs: Sequence[AuthorRun]) -> list[str]:
    limit = sum(run.seconds >= CACCIOLA_LIMIT_SECONDS for run in runs)
    outcomes = {"found or ruled out": len(runs) - limit, "limit": limit}
    return [
        str(len(runs)),
        _percent(fmean(run.accuracy for run in runs)),
        f"{fmean(run.hidden for run in runs):.0f}",
        NONE,
        format_number(fmean(min(run.seconds, CACCIOLA_LIMIT_SECONDS) for run in runs)),
        f"{fmean(run.nodes for run in runs):.0f}",
        ", ".join(f"{count} {name}" for name, count in outcomes.items() if count),
    ]


def _whole(value: float | None) -> str:
    return NONE if value is None else f"{value:.0f}"


def _percent(accuracy: float | None) -> str:
    return NONE if accuracy is None else f"{100 * accuracy:.2f}%"
