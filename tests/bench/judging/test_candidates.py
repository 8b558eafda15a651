from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest

from vnnbench.errors import ResultsError
from vnnbench.judging.candidates import (
    MAX_STORED,
    Candidate,
    Trajectory,
    candidates_npz,
    candidates_path,
    parse_candidates,
    read_candidates,
    steps_json,
    thin,
)
from vnnbench.judging.judge import CandidateJudgement
from vnnbench.leaderboard.words import Evidence


def candidate(i: int, claimed: float | None = None) -> Candidate:
    return Candidate(np.array([float(i)]), float(i) if claimed is None else claimed, float(i))


def judgement(value: int, success: bool) -> CandidateJudgement:
    return CandidateJudgement(0.0, np.zeros(1), Fraction(value), Fraction(value), success, Evidence.EXACT)


def seconds(trajectory: Trajectory) -> list[float]:
    return [c.seconds for c in trajectory.candidates]


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 1999, 2000, 2001, 5000, 12345])
def test_first_best_and_last_are_stored_with_at_most_a_thousand(count):
    trajectory = Trajectory()
    for i in range(count):
        trajectory.add(candidate(i, claimed=1e9 if i == 700 else None))
        assert len(trajectory.candidates) < 2 * MAX_STORED
    trajectory.finish()
    stored = seconds(trajectory)
    assert len(stored) == min(count, MAX_STORED)
    assert stored == sorted(stored)
    assert trajectory.dropped == count - len(stored)
    if count:
        assert {0.0, count - 1.0} <= set(stored)
    if count > 700:
        assert 700.0 in stored


def test_claims_that_are_not_numbers_are_never_the_best():
    trajectory = Trajectory()
    for i in range(1500):
        trajectory.add(candidate(i, claimed={0: math.nan, 701: 1e9}.get(i, math.nan if i % 2 else 0.0)))
    trajectory.finish()
    assert 701.0 in seconds(trajectory)


def test_candidates_that_the_judgement_rests_on_are_kept():
    """The first success and the best exact value are kept, whatever was claimed."""
    trajectory = Trajectory()
    for i in range(1999):
        trajectory.add(candidate(i))
    for i, success in ((501, True), (503, True), (903, False)):
        trajectory.judged(trajectory.candidates[i], judgement({903: 99}.get(i, 1), success))
    for i in range(1999, 9000):
        trajectory.add(candidate(i))
    trajectory.finish()
    assert {501.0, 903.0} <= set(seconds(trajectory))
    assert trajectory.first_success is not None and trajectory.first_success.seconds == 501


def test_a_candidate_that_is_sent_again_counts_as_the_same_one():
    trajectory = Trajectory()
    for i in (1, 2, 1, 3, 2, 2):
        trajectory.add(candidate(i))
    trajectory.add(Candidate(np.array([2.0]), 99.0, 7.0))  # the claim does not matter
    assert seconds(trajectory) == [1.0, 2.0, 3.0]
    assert (trajectory.repeated, trajectory.dropped) == (4, 4)
    for zero in (0.0, -0.0):  # bit by bit, these are two more inputs
        trajectory.add(Candidate(np.array([zero]), 0.0, 8.0))
    assert len(trajectory.candidates) == 5


def test_a_candidate_that_is_sent_again_is_the_newest_and_is_kept():
    trajectory = Trajectory()
    for i in range(1500):
        trajectory.add(candidate(i, claimed=0.0))
    trajectory.judged(trajectory.candidates[0], judgement(0, success=False))  # this is the best by its claim
    trajectory.add(candidate(1, claimed=0.0))
    following = trajectory.next_unjudged()
    assert following is trajectory.candidates[1]
    assert len(trajectory._waiting) == 1499
    trajectory.finish()
    assert seconds(trajectory)[:2] == [0.0, 1.0] and len(trajectory.candidates) == MAX_STORED
    trajectory.add(candidate(0))  # this one is judged, and is not judged again
    assert trajectory.next_unjudged() is trajectory.candidates[-1]


def test_file_that_repeats_candidates_is_read_without_them():
    """An older version wrote repeated candidates; the reader counts the one that it leaves out."""
    older = Trajectory([candidate(i) for i in (1, 2, 1)], 5)
    read, _, _ = parse_candidates(candidates_npz(older, None, []), "older.npz")
    assert (seconds(read), read.dropped, read.repeated) == ([1.0, 2.0], 6, 1)


def test_candidates_of_many_inputs_are_fewer_so_that_their_file_can_be_read(monkeypatch):
    monkeypatch.setattr("vnnbench.judging.candidates.MAX_CANDIDATE_BYTES", 20 * 8 * 4)
    trajectory = Trajectory()
    for i in range(100):
        trajectory.add(Candidate(np.full(4, float(i)), -abs(i - 50.0), float(i)))
        assert len(trajectory.candidates) < 40
    trajectory.finish()
    kept = seconds(trajectory)
    assert len(kept) == 20 and trajectory.dropped == 80
    assert {0.0, 50.0, 99.0} <= set(kept)


def test_thousands_of_successes_are_thinned_like_anything_else():
    trajectory = Trajectory()
    for i in range(6000):
        new = candidate(i)
        trajectory.add(new)
        trajectory.judged(new, judgement(i, True))
    trajectory.finish()
    assert len(trajectory.candidates) == MAX_STORED
    assert trajectory.first_success.seconds == 0


def test_newest_is_judged_first_and_the_first_success_is_the_earliest():
    trajectory = Trajectory()
    for i in range(4):
        trajectory.add(candidate(i))
    order = []
    while (newest := trajectory.next_unjudged()) is not None:
        order.append(newest.seconds)
        trajectory.judged(newest, judgement(1, success=newest.seconds in (1, 3)))
        if len(order) == 1:
            assert trajectory.first_success.seconds == 3
    assert order == [3, 2, 1, 0]
    assert trajectory.first_success.seconds == 1


def test_best_by_its_claim_is_judged_before_the_newest():
    trajectory = Trajectory()
    for i, claimed in enumerate([0.0, 5.0, 1.0, math.nan]):
        trajectory.add(candidate(i, claimed))
    order = []
    while (following := trajectory.next_unjudged()) is not None:
        order.append(following.seconds)
        trajectory.judged(following, judgement(0, success=False))
    assert order == [1, 3, 2, 0]


def test_newest_is_found_however_many_are_judged_already():
    """Every third candidate of a flood is judged as it comes; none is judged twice, and none after it was dropped."""
    trajectory = Trajectory()
    for i in range(30_000):
        trajectory.add(candidate(i, claimed=0.0))
        if i % 3 == 0:
            following = trajectory.next_unjudged()
            assert following.seconds == i and following.judgement is None
            trajectory.judged(following, judgement(0, success=False))
    trajectory.finish()
    left = 0
    while (following := trajectory.next_unjudged()) is not None:
        assert any(following is stored for stored in trajectory.candidates)
        trajectory.judged(following, judgement(0, success=False))
        left += 1
    assert 0 < left < len(trajectory.candidates) == MAX_STORED


@pytest.mark.parametrize("count", [0, 1, 1000, 1001, 5000])
def test_steps_are_thinned_with_first_and_last(count):
    steps = [(float(i), -float(i)) for i in range(count)]
    thinned = thin(steps)
    assert len(thinned) == min(count, MAX_STORED)
    assert thinned[:1] + thinned[-1:] == steps[:1] + steps[-1:]
    assert thinned == sorted(thinned)
    assert json.loads(steps_json(steps)) == [list(step) for step in thinned]


@pytest.mark.parametrize("columns", [None, np.array([1.0, np.pi])])
@pytest.mark.parametrize("count", [0, 3])
def test_file_reads_back_bit_for_bit(tmp_path, columns, count):
    trajectory = Trajectory([Candidate(np.array([0.1, i]), math.nan if i else 1 / 3, i / 7) for i in range(count)], 5)
    path = tmp_path / "run.npz"
    path.write_bytes(candidates_npz(trajectory, columns, ["a", "b"]))
    read, read_columns, names = read_candidates(path)
    assert read.dropped == 5
    assert [c.point.tolist() for c in read.candidates] == [c.point.tolist() for c in trajectory.candidates]
    assert seconds(read) == seconds(trajectory)
    np.testing.assert_array_equal(
        [c.claimed_value for c in read.candidates], [math.nan if i else 1 / 3 for i in range(count)]
    )
    assert (read_columns is None) == (columns is None)
    assert names == ([] if columns is None else ["a", "b"])


def broken_files(valid: bytes):
    yield "empty", b""
    yield "no zip", b"nonsense"
    yield "truncated", valid[: len(valid) // 2]
    yield "npy", b"\x93NUMPY" + valid


def test_broken_files_are_one_line(tmp_path):
    valid = candidates_npz(Trajectory([candidate(1)]), None, [])
    for name, data in broken_files(valid):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ResultsError, match=r"not a readable \.npz") as caught:
            read_candidates(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": np.zeros(3)},
        {"inputs": np.zeros((1, 2), dtype=np.float32)},
        {"values": np.zeros(2)},
        {"seconds": np.zeros((1, 1))},
        {"columns": np.array([{}], dtype=object)},
        {"inputs": None},
    ],
)
def test_arrays_of_another_kind_are_refused(tmp_path, change):
    arrays = {
        "inputs": np.zeros((1, 2)), "values": np.zeros(1), "seconds": np.zeros(1), "dropped": np.array(0),
        "columns": np.zeros(0), "column_names": np.array([], dtype=str),
    } | change  # fmt: skip
    np.savez(tmp_path / "run.npz", **{key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(ResultsError):
        read_candidates(tmp_path / "run.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"dropped": np.array(-1)},
        {"dropped": np.array([0])},
        {"dropped": np.array(0.5)},
        {"seconds": np.array([np.nan])},
        {"columns": np.array(1.0)},
        {"column_names": np.array("x")},
        {"column_names": np.array([1.0])},
        {"columns": np.zeros(2), "column_names": np.array(["x"])},
        {"inputs": np.zeros((1001, 2)), "values": np.zeros(1001), "seconds": np.zeros(1001)},
    ],
)
def test_arrays_that_no_run_leaves_behind_are_refused(tmp_path, change):
    arrays = {
        "inputs": np.zeros((1, 2)), "values": np.zeros(1), "seconds": np.zeros(1), "dropped": np.array(0),
        "columns": np.zeros(1), "column_names": np.array(["x"]),
    }  # fmt: skip
    np.savez(tmp_path / "run.npz", **arrays)
    read_candidates(tmp_path / "run.npz")
    np.savez(tmp_path / "run.npz", **(arrays | change))
    with pytest.raises(ResultsError, match=r"run\.npz: not a readable candidates file"):
        read_candidates(tmp_path / "run.npz")


def test_a_run_whose_name_is_a_path_is_refused(tmp_path):
    assert candidates_path(tmp_path, "ab-2") == tmp_path / "candidates" / "ab-2.npz"
    for name in ("../x", "/etc/x", "a/../b", "a\0b"):
        with pytest.raises(ResultsError, match="is not the name of a run"):
            candidates_path(tmp_path, name)
