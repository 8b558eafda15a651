"""What [C] observes, decided for pairs by hand, and the verdicts over networks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vnnbench.leaderboard.papers.cacciola2024 import NetworkRun, Outcome, Pair, Row, Section
from vnnbench.leaderboard.papers.cacciola2024_observations import STATEMENTS, Counted, count_pairs
from vnnbench.leaderboard.papers.observations import Verdict
from vnnbench.leaderboard.papers.values import CACCIOLA_ARCHITECTURES

RUN = NetworkRun("net", 0.97, 100.0, 10.0, 1800.0, 1.0, Outcome.RULED_OUT, fools_itself=False)
AT_LIMIT = replace(RUN, seconds=1800.0, outcome=Outcome.LIMIT)
CUT = replace(RUN, seconds=300.0, limit_seconds=300.0, outcome=Outcome.LIMIT)
DONE = replace(RUN, outcome=Outcome.DONE)
FOUND = replace(RUN, outcome=Outcome.FOUND, fools_itself=True)
OWN_ONLY = replace(DONE, fools_itself=True)
HALVES, BETTER, SOLVED, NONE_EXISTS, HAS_ONE, TRANSFERS, FASTER, UNSOLVED = STATEMENTS


@pytest.mark.parametrize(
    ("statement", "baseline", "pruned", "holds"),
    [
        (HALVES, RUN, replace(DONE, seconds=5.0), True), (HALVES, RUN, replace(DONE, seconds=5.1), False),
        (HALVES, CUT, replace(DONE, seconds=150.0), True), (HALVES, CUT, replace(DONE, seconds=151.0), None),
        (HALVES, CUT, CUT, None), (HALVES, RUN, CUT, False),
        (BETTER, RUN, replace(DONE, accuracy=0.98), True), (BETTER, RUN, DONE, False),
        (BETTER, RUN, replace(DONE, accuracy=None), None),
        (SOLVED, RUN, DONE, True), (SOLVED, RUN, AT_LIMIT, False), (SOLVED, RUN, CUT, None),
        (NONE_EXISTS, RUN, DONE, True), (NONE_EXISTS, FOUND, DONE, False), (NONE_EXISTS, RUN, OWN_ONLY, False),
        (NONE_EXISTS, CUT, DONE, None), (NONE_EXISTS, RUN, CUT, None),
        (HAS_ONE, RUN, FOUND, True), (HAS_ONE, RUN, OWN_ONLY, True), (HAS_ONE, RUN, DONE, False),
        (HAS_ONE, RUN, CUT, None), (HAS_ONE, RUN, replace(DONE, fools_itself=None), None),
        (TRANSFERS, RUN, FOUND, True), (TRANSFERS, RUN, OWN_ONLY, False), (TRANSFERS, RUN, DONE, None),
        (FASTER, RUN, replace(DONE, seconds=10.0), True), (FASTER, RUN, replace(DONE, seconds=11.0), False),
        (FASTER, CUT, CUT, None),
        (UNSOLVED, AT_LIMIT, DONE, True), (UNSOLVED, CUT, DONE, None), (UNSOLVED, RUN, DONE, False),
    ],
)  # fmt: skip
def test_whether_a_statement_holds_for_a_pair(statement, baseline, pruned, holds):
    assert statement.holds(Pair(baseline, pruned)) is holds


@pytest.mark.parametrize(
    ("counted", "verdict"),
    [
        (Counted(6, 0, 0, enough=True), Verdict.CONFIRMED), (Counted(5, 0, 1, enough=True), Verdict.OPEN),
        (Counted(5, 1, 0, enough=True), Verdict.OPEN), (Counted(6, 0, 0, enough=False), Verdict.OPEN),
        (Counted(2, 3, 0, enough=True), Verdict.CONTRADICTED), (Counted(2, 3, 1, enough=True), Verdict.OPEN),
        (Counted(0, 0, 0, enough=False), Verdict.TOO_FEW), (Counted(2, 0, 4, enough=True), Verdict.TOO_FEW),
        (Counted(0, 2, 0, enough=False), Verdict.TOO_FEW), (Counted(1, 2, 0, enough=False), Verdict.CONTRADICTED),
    ],
)  # fmt: skip
def test_the_verdict_needs_every_pair_or_most(counted, verdict):
    assert counted.verdict is verdict


def section(*rows):
    return Section(None, "tight", rows, 0, 0, 0, ("m1",))


def row(architecture, radius, pairs, in_design):
    return Row(architecture, radius, tuple(pairs), in_design)


def test_only_pairs_of_the_statements_networks_and_radius_count():
    """Both small architectures with three networks each are enough; large ones and radius 20 are not about it."""
    fast = [Pair(RUN, replace(DONE, seconds=1.0))] * 3
    slow = [Pair(RUN, DONE)] * 3
    small, large = CACCIOLA_ARCHITECTURES[:2], CACCIOLA_ARCHITECTURES[2]
    rows = [row(one, 5.0, fast, 3) for one in small]
    beside = [row(large, 5.0, slow, 3), row(small[0], 20.0, slow, 3), row((3, 7), 5.0, slow, 0)]
    assert count_pairs(HALVES, [section(*rows, *beside)]) == Counted(6, 0, 0, enough=True)
    assert count_pairs(HALVES, [section(rows[0], *beside)]) == Counted(3, 0, 0, enough=False)
    assert count_pairs(HALVES, [section(rows[0], row(small[1], 5.0, fast[:2], 2))]) == Counted(5, 0, 0, enough=False)


def test_networks_count_once_whatever_solvers_ran():
    """Two settings, each with the same three networks; the pairs of another radius are not about it."""
    better = [Pair(replace(RUN, network=f"n{i}"), replace(DONE, network=f"p{i}", accuracy=0.98)) for i in range(3)]
    of_setting = section(row(CACCIOLA_ARCHITECTURES[0], 5.0, better, 3), row(CACCIOLA_ARCHITECTURES[1], 5.0, [], 3))
    assert count_pairs(BETTER, [of_setting, of_setting]) == Counted(3, 0, 0, enough=True)
    assert count_pairs(FASTER, [of_setting]) == Counted(0, 0, 0, enough=False)
