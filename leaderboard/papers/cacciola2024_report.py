"""The report on [C] (Cacciola, Frangioni, Lodi) as markdown: coverage, its observations, its tables beside ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from vnnbench.common.text import plain
from vnnbench.leaderboard.papers.cacciola2024 import NetworkRun, Outcome, Row, Section
from vnnbench.leaderboard.papers.cacciola2024_observations import STATEMENTS, Counted, Statement, count_pairs
from vnnbench.leaderboard.papers.observations import verdict_table
from vnnbench.leaderboard.papers.values import (
    CACCIOLA_ARCHITECTURES,
    CACCIOLA_BASELINES,
    CACCIOLA_LIMIT_SECONDS,
    CACCIOLA_NETWORKS,
    CACCIOLA_PAIRS,
    CACCIOLA_PRUNED,
    CACCIOLA_RADII,
    CACCIOLA_SETUP,
    PrintedNetwork,
)
from vnnbench.leaderboard.ranking.aggregates import ratio
from vnnbench.leaderboard.tables.phrases import describe_left_out, describe_limits, describe_setting
from vnnbench.leaderboard.text import NONE, format_number, markdown_table, markdown_text, span

_TITLE = """\
# Cacciola, Frangioni, Lodi 2024, from these runs

Cacciola, Frangioni, Lodi: Structured Pruning of Neural Networks for Constraints Learning, Operations Research Letters
2024, [arXiv:2307.07457](https://arxiv.org/abs/2307.07457)."""

_OBSERVATIONS = f"""\
How many settings, each in its formulation, confirm or contradict it; that pruned ones classify better, which no solver
changes, is counted once. It is confirmed where it holds for every pair, of at least {CACCIOLA_NETWORKS} networks of
each architecture; contradicted where it fails for most of at least {CACCIOLA_NETWORKS} pairs; else open."""

_READING = """\
## How to read the numbers

Each number is a mean over networks: those of the paper, which are the three of its tables, and ours, which were trained
anew; in brackets the difference from the paper, or ours divided by the paper's (x). seconds: until the solver stopped,
at most the limit; nodes: of branch and bound; neurons: hidden ones of the network as stored; pruned / baseline: the
mean seconds of the pruned networks divided by those of the baselines. found: a counterexample, confirmed on the
baseline in exact arithmetic, also through the pruned network; limit: stopped by the time limit with neither a
counterexample nor, on a baseline, a claim that there is none.

Here a pruned network's run continues until the solver is done, because its bound says nothing about the baseline; the
authors stop every run as soon as its bound rules out a counterexample to its own network."""


def render(sections: Sequence[Section]) -> str:
    """Return the whole report as markdown, the most important first."""
    parts = [markdown_text(first_line(sections)), _TITLE, *_verdicts(sections)]
    for number, radius in enumerate(CACCIOLA_RADII, 1):
        parts += _table(f"Table {number} of the paper beside these runs: radius {radius:g}", sections, radius)
    parts += [_READING, *_counts(sections)]
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
    return f"{head}; {describe_limits(settings)} (the paper: {CACCIOLA_SETUP})."


def _verdicts(sections: Sequence[Section]) -> Iterator[str]:
    """Yield the table of verdicts on the paper's observations, over all settings and formulations."""
    yield "## The paper's observations in these runs"
    yield _OBSERVATIONS
    yield verdict_table(
        (one.section, one.text, [counted.verdict for _, counted in _counted(one, sections)]) for one in STATEMENTS
    )


def _counts(sections: Sequence[Section]) -> Iterator[str]:
    """Yield for how many pairs each observation holds, by setting and formulation, or of the networks."""
    yield "## The pairs of each observation"
    yield "holds, fails: pairs of baseline and pruned network; not known: a run was stopped too early to tell."
    rows = []
    for statement in STATEMENTS:
        for name, counted in _counted(statement, sections):
            numbers = [str(number) for number in (counted.holds, counted.fails, counted.unknown)]
            rows.append([statement.section, statement.text, name, str(counted.verdict), *numbers])
    columns = ["", "observation", "runs of", "verdict"]
    yield "\n".join(markdown_table(columns, ["holds", "fails", "not known"], rows))


def _counted(statement: Statement, sections: Sequence[Section]) -> list[tuple[str, Counted]]:
    """Return the counts of a statement, each with what it is of: every setting in its formulation, or the networks."""
    if statement.of_networks:
        return [("the networks", count_pairs(statement, sections))]
    return [(_name(section), count_pairs(statement, [section])) for section in sections]


def _table(title: str, sections: Sequence[Section], radius: float) -> Iterator[str]:
    """Yield one of the paper's tables beside ours, for each formulation: every number of every architecture."""
    for formulation in dict.fromkeys(section.formulation for section in sections):
        own = [section for section in sections if section.formulation == formulation]
        rows = [{row.architecture: row for row in section.rows if row.radius == radius} for section in own]
        ran = list(dict.fromkeys([architecture for of_section in rows for architecture in of_section]))
        if ran:
            yield f"## {markdown_text(plain(f'{title}, {formulation}'))}"
            lines = [line for architecture in ran for line in _lines(architecture, radius, rows)]
            settings = [plain(section.setting.label) for section in own]
            yield "\n".join(markdown_table(["network", "mean of"], ["paper", *settings], lines))


def _lines(
    architecture: tuple[int, int], radius: float, sections: Sequence[Mapping[tuple[int, int], Row]]
) -> Iterator[list[str]]:
    """Yield the lines of one architecture: the numbers of its baselines, of its pruned networks, and their ratio."""
    rows = [section.get(architecture) for section in sections]
    inside = any(row is not None and row.in_design for row in rows)
    at = CACCIOLA_RADII.index(radius)
    names, seconds = iter([f"{architecture[0]}x{architecture[1]}"]), []
    for side, tables in (("baseline", CACCIOLA_BASELINES), ("pruned", CACCIOLA_PRUNED)):
        printed = tables[architecture] if inside else ()
        runs = [[getattr(pair, side) for pair in row.pairs] if row else [] for row in rows]
        for measure in _MEASURES[0 if at == 0 else 2 :]:  # the networks are the same at both radii
            paper = _mean([measure.of_paper(network, at) for network in printed])
            ours = [_mean([measure.of_run(run) for run in own]) for own in runs]
            beside = [measure.beside(one, paper) for one in ours]
            yield [next(names, ""), f"{measure.name}, {side}", measure.text(paper), *beside]
        for outcome in (Outcome.FOUND, Outcome.LIMIT):
            found = [
                [_printed_outcome(network, at) for network in printed],
                *([r.outcome for r in own] for own in runs),
            ]
            yield ["", f"{outcome}, {side}", *(_of_all(own, outcome) for own in found)]
        seconds.append([_mean([n.seconds[at] for n in printed]), *(_mean([r.seconds for r in own]) for own in runs)])
    yield [
        "",
        "seconds, pruned / baseline",
        *(format_number(ratio(pruned, baseline)) for baseline, pruned in zip(*seconds, strict=True)),
    ]


def _printed_outcome(network: PrintedNetwork, at: int) -> Outcome:
    if at and network.found:
        return Outcome.FOUND
    return Outcome.LIMIT if network.seconds[at] >= CACCIOLA_LIMIT_SECONDS else Outcome.RULED_OUT


def _of_all(outcomes: Sequence[Outcome], wanted: Outcome) -> str:
    return f"{outcomes.count(wanted)} of {len(outcomes)}" if outcomes else NONE


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean; None without values, or if one is not known: it would be a mean over other runs."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


@dataclass(frozen=True, slots=True)
class _Measure:
    """A number of a network: where the paper has it (by the place of the radius) and our run, and how it is shown.

    digits: after the point, beside a difference; None: three significant digits, beside a factor.
    """

    name: str
    of_paper: Callable[[PrintedNetwork, int], float]
    of_run: Callable[[NetworkRun], float | None]
    digits: int | None = None

    def text(self, value: float | None) -> str:
        return format_number(value) if value is None or self.digits is None else f"{value:.{self.digits}f}"

    def beside(self, ours: float | None, paper: float | None) -> str:
        """Return our number and how it compares with the paper's."""
        if ours is None or not paper:
            return self.text(ours)
        compared = f"x{format_number(ours / paper)}" if self.digits is None else f"{ours - paper:+.{self.digits}f}"
        return f"{self.text(ours)} ({compared})"


_MEASURES = (
    _Measure("accuracy, %", lambda n, _: n.accuracy, lambda r: r.accuracy and 100 * r.accuracy, 2),
    _Measure("neurons", lambda n, _: n.hidden, lambda r: r.hidden, 0),
    _Measure("seconds", lambda n, at: n.seconds[at], lambda r: r.seconds),
    _Measure("nodes", lambda n, at: n.nodes[at], lambda r: r.nodes),
)


def _name(section: Section) -> str:
    return plain(f"{section.setting.label} {section.formulation}")


def _section(section: Section) -> Iterator[str]:
    yield f"## {markdown_text(plain(f'{section.setting.label}, {section.formulation}'))}"
    left_out = describe_left_out(section.refused, section.missing, section.wrong, section.cpus)
    yield markdown_text(f"{describe_setting(section.setting)}. {left_out}")
