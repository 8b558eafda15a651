"""Counts of candidates that answer the problem on the instance's own network, and of these on the dense network.

The values on the surrogate of `adv` are 1/2 above those on the dense network: at the centre -1/4 and -3/4, at `even`
1/2 and 0, at `good` 5/8 and 1/8.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from support.older_ledgers import make_older
from support.scripts import Steps
from support.silent import Silent
from support.tiny_libraries import BEST, POINTS, write_tiny_library
from vnnbench.instances.files import sha256
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.judging.candidates import (
    COUNTED_IN_TIME,
    Candidate,
    Trajectory,
    candidates_npz,
    count_answers,
    read_candidates,
    summarize,
)
from vnnbench.judging.judge import CandidateJudgement, Judge
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.records.rows import ResultRow
from vnnbench.leaderboard.records.schema import TABLES
from vnnbench.leaderboard.records.upgrade import columns_of
from vnnbench.leaderboard.tables.render import Format, render
from vnnbench.leaderboard.words import Evidence
from vnnbench.ledger.confirm import confirm, judged_otherwise
from vnnbench.ledger.writer import LEDGER_NAME, Ledger

DENSE, SURROGATE = "adv--tight", "adv-mag-u10--tight"
COUNTS = ["own_answers", "transferred_answers"]


def judged(own: float | None, dense: float | None, confirmed: bool) -> CandidateJudgement:
    value, own_value = (None if number is None else Fraction(number) for number in (dense, own))
    return CandidateJudgement(0.0, np.zeros(4), value, own_value, confirmed, Evidence.EXACT)


def counts(row):
    return tuple(row[name] for name in COUNTS)


# -- by hand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("strict", "counted"), [(True, (2, 1)), (False, (3, 1))])
def test_two_of_three_candidates_answer_on_the_surrogate_and_one_transfers(library, tmp_path, strict, counted):
    library = write_tiny_library(tmp_path / "library", strict=strict)
    problem = Judge.of_instance(library, library.row(SURROGATE)).problem
    judgements = [judged(0.0, -0.5, False), judged(0.5, -0.125, False), judged(0.625, 0.125, True)]
    assert count_answers(judgements, problem) == counted


def test_a_candidate_without_a_value_on_the_own_network_answers_nothing_there(library):
    """The value on the dense network changes nothing; a candidate without a value there does not transfer."""
    problem = Judge.of_instance(library, library.row(SURROGATE)).problem
    judgements = [judged(None, 0.25, True), judged(None, None, False), judged(0.5, None, False)]
    assert count_answers(judgements, problem) == (1, 0)
    assert count_answers([], problem) == (0, 0)


def test_counterexample_to_the_dense_network_alone_does_not_transfer(library):
    """On the surrogate it is not a counterexample."""
    problem = Judge.of_instance(library, library.row(SURROGATE)).problem
    assert count_answers([judged(-0.5, 0.25, True), judged(0.5, 0.25, True)], problem) == (1, 1)


@pytest.mark.parametrize("asked", ["values", "distances"])
def test_without_a_threshold_nothing_is_counted(asked, request):
    library = request.getfixturevalue(asked)
    problem = Judge.of_instance(library, library.rows[0]).problem
    assert count_answers([judged(0.5, 0.5, True)], problem) == (None, None)


# -- runs ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def results(play, steps):
    """Runs that report centre, even and good, on the surrogate and on the dense network."""
    for instance in (SURROGATE, DENSE):
        s = steps(instance)
        play(instance, [s.incumbent(POINTS[name]) for name in ("centre", "even", "good")], "find")
    return play.results


def test_counts_of_a_run_are_those_of_its_candidates(results):
    runs = read_runs(results / LEDGER_NAME).set_index("instance")
    assert counts(runs.loc[SURROGATE]) == (2, 1)
    assert counts(runs.loc[DENSE]) == (1, 1)  # its own network is the dense one


def test_candidate_counts_where_it_is_after_repair(play, steps):
    """x_0 is a little beyond its box; clipped, the value is 3/4 on the surrogate and 1/4 on the dense network."""
    row = play(SURROGATE, [steps(SURROGATE).incumbent([1.25, 0.75, 0.5, 0.5])], "optimize")
    assert (row["evidence"], row["first_success_seconds"]) == ("repaired", None)  # too far out to be a success
    assert counts(row) == (1, 1)


def test_candidate_that_is_sent_again_counts_once(play, steps):
    s = steps(SURROGATE)
    even, best = (s.incumbent(POINTS[name]) for name in ("even", "best"))
    row = play(SURROGATE, [even, best, even, best, best, s.result("optimal", BEST)], "optimize")
    assert (row["incumbents"], *counts(row)) == (5, 2, 1)


@pytest.mark.parametrize(("asked", "counted"), [({"strict": False}, (2, 2)), ({"targets": (1, 2)}, (2, 1))])
def test_counts_follow_a_threshold_that_may_be_reached_and_several_targets(asked, counted, play_in, tmp_path):
    library = write_tiny_library(tmp_path / "library", **asked)
    s = Steps(library, library.row(SURROGATE))
    row = play_in(library)(SURROGATE, [s.incumbent(POINTS[name]) for name in ("centre", "even")], "optimize")
    assert counts(row) == (1, int(asked == {"strict": False}))
    s = Steps(library, library.row(SURROGATE))
    row = play_in(library)(SURROGATE, [s.incumbent(POINTS[name]) for name in ("centre", "even", "good")], "optimize")
    assert counts(row) == counted


def test_run_without_candidates_counts_none_that_answer(play):
    assert counts(play(SURROGATE, [])) == (0, 0)


def test_real_runs_count_alike_again_and_on_dense_networks_all_transfers(tiny_results):
    runs = read_runs(tiny_results / LEDGER_NAME)
    dense = runs.network == runs.dense_network
    assert (runs[dense].own_answers == runs[dense].transferred_answers).all()
    assert (runs.transferred_answers <= runs.own_answers).all() and (runs.own_answers <= runs.incumbents + 1).all()
    confirmed = runs.verdict == "adversarial"
    assert confirmed.any() and (confirmed == (runs.transferred_answers > 0))[dense].all()


# -- after the time limit ------------------------------------------------------------------------------------------


@pytest.fixture
def late(library):
    """A run on the surrogate that reports the centre after 1 s; `even`, which answers there alone, after 2 s; and
    `good`, which answers on the dense network too, after 11 s."""
    judge = Judge.of_instance(library, library.row(SURROGATE))
    trajectory = Trajectory()
    for seconds, point in ((1.0, "centre"), (2.0, "even"), (11.0, "good")):
        trajectory.add(Candidate(np.array(POINTS[point]), 0.0, seconds))
    for candidate in trajectory.candidates:
        trajectory.judged(candidate, judge.judge(candidate.point))
    return lambda limit: (summarize("ab" * 8, trajectory, judge, None, 0.0, limit), trajectory)


@pytest.mark.parametrize(
    ("limit", "counted"),
    [(0.5, (None, None, 0, 0)), (1.5, (None, None, 0, 0)), (10.0, (None, None, 1, 0)), (11.0, (0.0, 0.0, 2, 1))],
)
def test_candidates_after_the_time_limit_are_judged_and_not_counted(late, limit, counted):
    judgement, _ = late(limit)
    assert tuple(getattr(judgement, name) for name in COUNTED_IN_TIME) == counted
    assert (judgement.confirmed, judgement.best_exact_value) == (1, 0.125)  # both are true of the problem


def test_an_older_version_counted_late_candidates_and_differs_in_nothing_else(late):
    (older, _), (judgement, trajectory) = late(float("inf")), late(10.0)
    unknown = dict.fromkeys(ResultRow.COLUMNS)
    result = ResultRow.of({**unknown, "time_limit_seconds": 10.0, "candidates_sha256": "known"})
    assert older != judgement
    assert list(judged_otherwise(result, older, judgement, trajectory)) == []
    forged = replace(older, best_exact_value=7.0)
    assert list(judged_otherwise(result, forged, judgement, trajectory)) == [("best_exact_value", 7.0, 0.125)]
    in_time = replace(result, time_limit_seconds=20.0)
    (field, *_), *_ = judged_otherwise(in_time, judgement, older, trajectory)
    assert field == "as_given_violation"


# -- ledgers that did not count --------------------------------------------------------------------------------------


def test_confirm_counts_what_an_older_version_did_not(tiny_results, tiny_library, tmp_path):
    results = Path(shutil.copytree(tiny_results, tmp_path / "results"))
    since_4 = [TABLES[table].keys() - columns_of(table, 4).keys() for table in ("instances", "results")]
    # Without a host, a machine has another name, and the impossible cannot be told without stalls.
    others = [*set().union(*since_4), "judge_seconds", "machine", "host", "impossible_times"]
    before = read_runs(results / LEDGER_NAME).drop(columns=others, errors="ignore")
    make_older(results / LEDGER_NAME, 4)
    with Ledger(results):
        pass
    text, rows = leaderboard(results)
    assert "Transferred candidates were not counted in 4 runs on surrogates, judged by an earlier version: " in text
    assert {(row.candidates, row.transfer_share) for row in rows} == {(0, None)}
    assert confirm(results, LibrarySet.open([tiny_library]), Silent()) == []
    assert read_runs(results / LEDGER_NAME).drop(columns=others, errors="ignore").equals(before)
    text, rows = leaderboard(results)
    assert "earlier version" not in text
    of_surrogates = before[before.network != before.dense_network]
    for row in rows:
        runs = of_surrogates[of_surrogates.formulation == row.formulation]
        assert (row.candidates, row.transferred) == (runs.own_answers.sum(), runs.transferred_answers.sum())
        assert row.candidates >= 2 and row.uncounted == 0


def leaderboard(results):
    board = build_leaderboard(read_runs(results / LEDGER_NAME))
    return " ".join(render(board, Format.TABLE).split()), board.surrogates


def test_candidates_that_an_older_version_counted_twice_are_not_a_difference(results, library_set):
    run = read_runs(results / LEDGER_NAME).set_index("instance").loc[SURROGATE, "run"]
    path = results / "candidates" / f"{run}.npz"
    trajectory, columns, names = read_candidates(path)
    again = [*trajectory.candidates, trajectory.candidates[-1]]
    data = candidates_npz(Trajectory(again), columns, names)
    path.write_bytes(data)
    with closing(sqlite3.connect(results / LEDGER_NAME)) as connection:
        connection.executescript("DROP TRIGGER judgements_no_update; DROP TRIGGER results_no_update;")
        connection.execute("UPDATE judgements SET own_answers = 3, transferred_answers = 2 WHERE run = ?", [run])
        facts = "candidates_sha256 = ?, incumbents = 4"
        connection.execute(f"UPDATE results SET {facts} WHERE run = ?", [sha256(data), run])  # noqa: S608
        connection.commit()
    assert confirm(results, library_set, Silent()) == []
    assert counts(read_runs(results / LEDGER_NAME).set_index("run").loc[run]) == (2, 1)


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ((3, 1), {"own_answers was 3, is 2"}),
        ((2, 2), {"transferred_answers was 2, is 1"}),
        ((None, 1), {"own_answers was None, is 2"}),
        ((None, None), set()),
    ],
)
def test_wrong_counts_are_differences(results, library_set, stored, told):
    run = read_runs(results / LEDGER_NAME).set_index("instance").loc[SURROGATE, "run"]
    with closing(sqlite3.connect(results / LEDGER_NAME)) as connection:
        connection.execute("DROP TRIGGER judgements_no_update")
        connection.execute(
            "UPDATE judgements SET own_answers = ?, transferred_answers = ? WHERE run = ?", [*stored, run]
        )
        connection.commit()
    assert {str(found).partition(": ")[2] for found in confirm(results, library_set, Silent())} == told
