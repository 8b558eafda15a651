from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from support.silent import Silent
from support.tiny_libraries import BEST, CENTRE, GOOD, POINTS, write_tiny_library
from vnnbench.cli import run_command
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.families.base import Evaluator
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.words import EndedBy, LedgerError
from vnnbench.ledger.confirm import Difference, confirm
from vnnbench.ledger.stored_runs import read_stored_runs
from vnnbench.ledger.writer import LEDGER_NAME, Ledger
from vnnbench.solvers.base import Termination


@pytest.fixture
def results(play, steps, kept_results):
    """A counterexample, a robust claim, a surrogate's optimum, a repaired candidate, a crash."""

    def plays():
        s = steps("adv--tight")
        found = [s.incumbent(CENTRE), s.incumbent(GOOD), s.incumbent(BEST)]
        play("adv--tight", found, "find")
        play("adv--tight", [s.incumbent([1 + 1e-9, 0.75, 0.5, 0.5])], "optimize")
        s = steps("rob-mag-u10--tight")
        play("rob-mag-u10--tight", [s.result("optimal", BEST, -0.25)])
        play("rob--tight", [["bound", 0.1]])
        play("rob--tight", [["segfault"]])
        play("rob--tight", [["incumbent", 0.1, [float("nan")] * steps("rob--tight").judge.model.n_columns]])

    return play.once(kept_results, plays)


def rewrite(path, **changes):
    with np.load(path) as arrays:
        stored = dict(arrays)
    np.savez_compressed(path, **{**stored, **{key: change(stored[key]) for key, change in changes.items()}})


def test_files_alone_reproduce_every_judgement(results, library, library_set, tmp_path):
    before = read_runs(results / LEDGER_NAME).drop(columns="judge_seconds")
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    shutil.rmtree(copy / "logs")
    progress = Silent()
    assert confirm(copy, LibrarySet((Library.open(library.folder),)), progress) == []
    assert (progress.total, progress.done) == (6, 6)
    assert read_runs(copy / LEDGER_NAME).drop(columns="judge_seconds").equals(before)
    assert confirm(copy, library_set, Silent()) == []  # and again


def test_tampered_candidates_are_reported(results, library_set, play):
    runs = read_runs(results / LEDGER_NAME)
    run = runs[(runs.instance == "adv--tight") & (runs.goal == "find")].run.item()
    rewrite(results / "candidates" / f"{run}.npz", inputs=lambda x: np.tile([0.5, 0.25, 0.5, 0.5], (len(x), 1)))
    found = confirm(results, library_set, Silent())
    assert {difference.run for difference in found} == {run}
    fields = {difference.field: (difference.stored, difference.found) for difference in found}
    assert fields["confirmed"] == (1, 0)
    assert fields["best_exact_value"] == (0.25, -0.75)
    assert fields["first_success_seconds"][1] is None
    assert play.row(run)["verdict"] == "unknown"  # the newest judgement counts


def test_tampered_columns_are_reported(results, library_set):
    runs = read_runs(results / LEDGER_NAME)
    run = runs[runs.instance == "rob-mag-u10--tight"].run.item()
    rewrite(results / "candidates" / f"{run}.npz", columns=lambda x: x * 0.5)
    assert {difference.field for difference in confirm(results, library_set, Silent())} >= {
        "file_value",
        "row_violation",
    }


def test_changed_judgement_is_reported(results, library_set, play):
    (stored,) = [
        run.judgement
        for run in read_stored_runs(results / LEDGER_NAME, ("run",))
        if (run.result.goal, run.result.termination) == ("decide", None)
    ]
    forged = replace(stored, confirmed=1, best_exact_value=3.0, evidence="exact")
    with Ledger(results) as ledger:
        ledger.append_judgement(forged)
    assert play.row(forged.run)["verdict"] == "adversarial"
    found = confirm(results, library_set, Silent())
    runs = read_runs(results / LEDGER_NAME)
    bound = runs[runs.dual_bound == -0.1].run.item()  # the forged counterexample had refuted it
    assert {(d.run, d.field) for d in found} == {
        *((forged.run, field) for field in ("confirmed", "best_exact_value", "evidence", "verdict")),
        *((bound, field) for field in ("verdict", "evidence", "fault")),
    }
    assert ("fault", "solver", "none") in [(d.field, d.stored, d.found) for d in found if d.run == bound]
    assert play.row(forged.run)["verdict"] == "unknown"


def test_missing_or_broken_candidates_are_differences_and_the_rest_is_judged(results, library_set):
    missing, broken, empty, piped, *rest = read_runs(results / LEDGER_NAME).run
    (results / "candidates" / f"{missing}.npz").unlink()
    (results / "candidates" / f"{broken}.npz").write_bytes(b"nonsense")
    (results / "candidates" / f"{empty}.npz").unlink()
    (results / "candidates" / f"{empty}.npz").mkdir()
    (results / "candidates" / f"{piped}.npz").unlink()
    os.mkfifo(results / "candidates" / f"{piped}.npz")  # no process ever writes to it
    progress = Silent()
    found = confirm(results, library_set, progress)
    assert (progress.done, len(rest)) == (6, 2)
    told = [(d.run, d.field, str(d.found).partition(": ")[2].partition(" (")[0] or d.found) for d in found]
    assert told[0] == (missing, "candidates", "missing")
    assert told[1] == (broken, "candidates", "not a readable .npz")
    assert told[2:] == [(name, "candidates", "is not a file") for name in (empty, piped)]
    assert len(told) == 4 and all("\n" not in str(d.found) for d in found)
    connection = sqlite3.connect(results / LEDGER_NAME)
    judged = dict(connection.execute("SELECT run, count(*) FROM judgements GROUP BY run").fetchall())
    connection.close()
    assert judged == {**dict.fromkeys((missing, broken, empty, piped), 1), **dict.fromkeys(rest, 2)}


def test_candidates_file_with_the_same_content_but_another_hash_is_reported(results, library_set):
    run = read_runs(results / LEDGER_NAME).run[0]
    rewrite(results / "candidates" / f"{run}.npz", dropped=lambda dropped: dropped + 0)
    before = (results / "candidates" / f"{run}.npz").read_bytes()
    (results / "candidates" / f"{run}.npz").write_bytes(before + b" ")  # zip files take a tail
    assert {(d.run, d.field) for d in confirm(results, library_set, Silent())} == {(run, "candidates_sha256")}


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("termination", "won", f"one of {', '.join(Termination)}"),
        ("termination", None, "stated, because the solver ended the run"),
        ("ended_by", "luck", f"one of {', '.join(EndedBy)}"),
        ("claimed_value", float("inf"), "a finite number"),
        ("dual_bound", float("-inf"), "a finite number"),
        ("incumbents", 2, 3),  # three are stored: at most two of them can be streamed ones and one the final one
        ("incumbents", 17, 3),
        ("dual_steps", "[[1, 2], [2, 3]]", "falling bounds in order of time, none below the final one"),
        ("dual_steps", "[[2, 2], [1, 1]]", "falling bounds in order of time, none below the final one"),
        ("dual_steps", "[[1, 2]]", "falling bounds in order of time, none below the final one"),
        ("dual_steps", "[[1, Infinity]]", "falling bounds in order of time, none below the final one"),
        ("dual_steps", "[" * 5000, "falling bounds in order of time, none below the final one"),
        ("dual_steps", f"[[1, {10**400}]]", "falling bounds in order of time, none below the final one"),
        ("dual_steps", "nonsense", "falling bounds in order of time, none below the final one"),
    ],
)
def test_facts_that_no_run_can_have_are_differences(play, steps, library_set, field, value, found):
    s = steps("adv--tight")
    play("adv--tight", [s.incumbent(POINTS[name]) for name in ("centre", "good", "best")], "optimize")
    (done,) = play.finished
    forged = replace(done.result, run="f" * 16, **{field: value})
    possible = field == "incumbents" and value == 2
    candidates = play.results / "candidates"
    shutil.copy(candidates / f"{done.result.run}.npz", candidates / f"{forged.run}.npz")
    with Ledger(play.results) as ledger:
        ledger.append(forged, replace(done.judgement, run=forged.run))
    differences = [(d.run, d.field, d.found) for d in confirm(play.results, library_set, Silent())]
    assert differences == ([] if possible else [(forged.run, field, found)])


def test_measures_of_the_best_candidate_are_compared(results, library_set, monkeypatch):
    monkeypatch.setattr(Evaluator, "measures", lambda evaluator, candidate: {"sum": float(candidate.sum())})
    assert confirm(results, library_set, Silent()) == []  # they were stored without measures
    stored = read_runs(results / LEDGER_NAME, ["measures", "best_exact_value"])
    assert (stored.measures.notna() == stored.best_exact_value.notna()).all() and stored.measures.notna().any()
    assert confirm(results, library_set, Silent()) == []
    monkeypatch.setattr(Evaluator, "measures", lambda evaluator, candidate: {"sum": -1.0})
    found = confirm(results, library_set, Silent())
    assert {(d.field, d.found) for d in found} == {("measures", '{"sum": -1.0}')}
    assert {d.run for d in found} == set(stored.run[stored.measures.notna()])


def test_judgements_of_older_ledgers_are_compared_only_in_what_they_had(results, library_set):
    """Values that older versions did not measure, and missing hashes of files, are not differences."""
    connection = sqlite3.connect(results / LEDGER_NAME)
    connection.executescript("DROP TRIGGER results_no_update; DROP TRIGGER judgements_no_update;")
    connection.execute("UPDATE results SET candidates_sha256 = NULL, dual_steps = NULL")
    connection.execute("UPDATE judgements SET primal_steps = NULL, as_given_violation = NULL")
    connection.commit()
    connection.close()
    assert confirm(results, library_set, Silent()) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("problem", "another"),
        ("constant_rounding", 10.0),
        ("threshold", 0.5),
        ("strict", 0),
        ("centre_value", None),
        ("dense_sha256", "f" * 64),
    ],
)
def test_facts_of_an_instance_in_the_ledger_are_compared_with_the_library(results, library_set, field, value):
    """Otherwise one number there could void every fault, or turn each bound into one."""
    connection = sqlite3.connect(results / LEDGER_NAME)
    connection.execute("DROP TRIGGER instances_no_update")
    of_instance = "WHERE instance = 'rob--tight'"
    (before,) = connection.execute(f"SELECT {field} FROM instances {of_instance}").fetchone()  # noqa: S608
    connection.execute(f"UPDATE instances SET {field} = ? {of_instance}", [value])  # noqa: S608
    connection.commit()
    connection.close()
    found = [d for d in confirm(results, library_set, Silent()) if d.run is None]
    assert found == [Difference(None, "rob--tight", field, value, before)]


def test_candidates_of_another_width_are_rejected_not_crashed_on(results, library_set):
    runs = read_runs(results / LEDGER_NAME)
    run = runs[runs.goal == "find"].run.item()
    rewrite(results / "candidates" / f"{run}.npz", inputs=lambda x: np.hstack([x, x]))
    assert ("confirmed", 1, 0) in [(d.field, d.stored, d.found) for d in confirm(results, library_set, Silent())]


def test_column_names_that_decode_to_nothing_are_one_line(results, library_set):
    runs = read_runs(results / LEDGER_NAME)
    run = runs[runs.goal == "find"].run.item()
    rewrite(
        results / "candidates" / f"{run}.npz", column_names=lambda names: np.array([f"q{i}" for i in range(len(names))])
    )
    found = confirm(results, library_set, Silent())
    assert {d.field for d in found} == {"candidates_sha256", "file_value", "row_violation", "replayed_value"}


def test_another_library_is_refused(results, tmp_path):
    with pytest.raises(LibraryError, match=r"has runs on adv--tight .*--library can be repeated"):
        confirm(results, LibrarySet((write_tiny_library(tmp_path / "a", {"rob": 2.0}),)), Silent())
    other = write_tiny_library(tmp_path / "b", {"adv": 1.5, "rob": 2.0})
    with pytest.raises(LibraryError, match=f"the adv--tight of {other.folder} is another"):
        confirm(results, LibrarySet((other,)), Silent())


@pytest.mark.parametrize("relative", ["models/adv--tight.mps.gz", "networks/adv.onnx", "properties/adv.json"])
def test_an_altered_file_of_the_library_is_reported_as_check_reports_it(results, library, tmp_path, capsys, relative):
    folder = tmp_path / "altered"
    shutil.copytree(library.folder, folder)
    path = folder / relative
    path.write_bytes(path.read_bytes()[:-1])
    said = "is not the file that library.json knows (sha256); import it again"
    assert run_command(["confirm", str(results), "--library", str(folder)]) == 2
    assert capsys.readouterr().err == f"Error: {path}: {said}\n"
    assert run_command(["check", str(folder), "--solver", "highs"]) == 1
    *findings, last = capsys.readouterr().out.splitlines()
    touched = ["adv--tight"] if "models" in relative else ["adv--tight", "adv-mag-u10--tight"]
    assert findings == [f"{relative}: {said}", *(f"{name}: {path}: {said}" for name in touched)]
    assert last.endswith(f": {1 + len(touched)} findings")


def test_one_difference_is_one(results, library, capsys):
    run = read_runs(results / LEDGER_NAME).run[0]
    (results / "candidates" / f"{run}.npz").unlink()
    assert run_command(["confirm", str(results), "--library", str(library.folder)]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"run {run} on adv--tight: candidates was {run}.npz, is missing"
    assert last == f"{results}: 6 runs judged again, 1 difference"


def test_no_results_are_one_line(library_set, tmp_path):
    with pytest.raises(LedgerError, match="no ledger here"):
        confirm(tmp_path, library_set, Silent())
    assert list(tmp_path.iterdir()) == []
