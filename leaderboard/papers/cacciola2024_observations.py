"""What [C] (Cacciola, Frangioni, Lodi, arXiv:2307.07457) observes in sections 5.3 and 5.4, counted over our networks.

With three networks of each architecture no test can decide, so a statement is counted: over the pairs of baseline and
pruned network of the architectures and the radius that it is about, it holds, fails, or is not known because a run was
stopped too early. A statement about networks alone, whatever solver ran, is counted once for each pair of networks. It
is confirmed if it holds for every pair, and these are at least three of each architecture; contradicted if it fails for
most of at least three; too few if it is known for fewer than three; else open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vnnbench.leaderboard.papers.cacciola2024 import NetworkRun, Outcome, Pair, Row, Section
from vnnbench.leaderboard.papers.observations import Verdict
from vnnbench.leaderboard.papers.values import (
    CACCIOLA_ARCHITECTURES,
    CACCIOLA_LIMIT_SECONDS,
    CACCIOLA_NETWORKS,
)

_SMALL, _LARGE = CACCIOLA_ARCHITECTURES[:2], CACCIOLA_ARCHITECTURES[2:]


@dataclass(frozen=True, slots=True)
class Statement:
    """An observation in our words, with what decides it for a pair: whether it holds, or None if that is not known.

    of_networks: whether it is about the networks alone, and not about their runs.
    """

    section: str
    text: str
    radius: float
    architectures: tuple[tuple[int, int], ...]
    holds: Callable[[Pair], bool | None]
    of_networks: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """The pairs for which a statement holds, fails, and is not known, and whether every architecture has enough."""

    holds: int
    fails: int
    unknown: int
    enough: bool

    @property
    def verdict(self) -> Verdict:
        others = self.holds + self.unknown
        if self.holds + self.fails < CACCIOLA_NETWORKS:
            return Verdict.TOO_FEW
        if self.fails > others and self.fails + others >= CACCIOLA_NETWORKS:
            return Verdict.CONTRADICTED
        return Verdict.CONFIRMED if self.enough and not self.fails + self.unknown else Verdict.OPEN


def count_pairs(statement: Statement, sections: Sequence[Section]) -> Counted:
    """Count the pairs of these sections that a statement is about, inside the paper's design."""
    own = [row for section in sections for row in section.rows if row.in_design and _is_about(statement, row)]
    pairs = [pair for row in own for pair in row.pairs]
    if statement.of_networks:
        pairs = [*{(pair.baseline.network, pair.pruned.network): pair for pair in pairs}.values()]
    known = [statement.holds(pair) for pair in pairs]
    return Counted(
        holds=known.count(True),
        fails=known.count(False),
        unknown=known.count(None),
        enough={row.architecture for row in own if row.in_design >= CACCIOLA_NETWORKS} == {*statement.architectures},
    )


def _is_about(statement: Statement, row: Row) -> bool:
    return row.radius == statement.radius and row.architecture in statement.architectures


def _at_limit(run: NetworkRun) -> bool:
    return run.seconds >= run.limit_seconds


def _faster_by(factor: float) -> Callable[[Pair], bool | None]:
    """Return what decides whether the pruned network takes at most 1 / factor of the baseline's time."""

    def holds(pair: Pair) -> bool | None:
        if factor * pair.pruned.seconds <= pair.baseline.seconds and not _at_limit(pair.pruned):
            return True
        return None if _at_limit(pair.baseline) else False

    return holds


def _classifies_better(pair: Pair) -> bool | None:
    baseline, pruned = pair.baseline.accuracy, pair.pruned.accuracy
    return None if baseline is None or pruned is None else pruned > baseline


def _is_solved(run: NetworkRun) -> bool | None:
    """Return whether a run is solved within the limit of the paper; None if ours was shorter and reached."""
    if not _at_limit(run):
        return True
    return False if run.limit_seconds >= CACCIOLA_LIMIT_SECONDS else None


def _pruned_is_solved(pair: Pair) -> bool | None:
    return _is_solved(pair.pruned)


def _baseline_is_not_solved(pair: Pair) -> bool | None:
    solved = _is_solved(pair.baseline)
    return None if solved is None else not solved


def _none_exists(pair: Pair) -> bool | None:
    baseline, pruned = pair.baseline, pair.pruned
    if baseline.outcome is Outcome.FOUND or pruned.fools_itself:
        return False
    if baseline.outcome is Outcome.RULED_OUT and pruned.outcome is Outcome.DONE and pruned.fools_itself is False:
        return True
    return None


def _pruned_fools_itself(pair: Pair) -> bool | None:
    pruned = pair.pruned
    if pruned.outcome is Outcome.FOUND or pruned.fools_itself:
        return True
    return False if pruned.outcome is Outcome.DONE and pruned.fools_itself is False else None


def _pruned_fools_baseline(pair: Pair) -> bool | None:
    pruned = pair.pruned
    if pruned.outcome is Outcome.FOUND:
        return True
    return False if pruned.fools_itself else None


STATEMENTS: tuple[Statement, ...] = (
    Statement("5.3", "2x50, 2x100: pruning halves the time.", 5.0, _SMALL, _faster_by(2.0)),
    Statement("5.3", "2x50, 2x100: pruned ones classify better.", 5.0, _SMALL, _classifies_better, of_networks=True),
    Statement("5.3", "2x200, 6x100: pruned ones are solved.", 5.0, _LARGE, _pruned_is_solved),
    Statement("5.3", "Radius 5: no counterexample exists.", 5.0, CACCIOLA_ARCHITECTURES, _none_exists),
    Statement("5.4", "Radius 20: pruned ones have one.", 20.0, CACCIOLA_ARCHITECTURES, _pruned_fools_itself),
    Statement("5.4", "It is one of the baseline too.", 20.0, CACCIOLA_ARCHITECTURES, _pruned_fools_baseline),
    Statement("5.4", "Pruning saves time.", 20.0, CACCIOLA_ARCHITECTURES, _faster_by(1.0)),
    Statement("5.4", "6x100: baselines are not solved.", 20.0, CACCIOLA_ARCHITECTURES[3:], _baseline_is_not_solved),
)
