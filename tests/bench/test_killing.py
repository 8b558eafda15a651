"""kill -9 of the harness at random moments: nothing is lost, doubled, half written or left running.

VNNBENCH_KILLS=200 makes it longer.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from vnnbench.instances.library.library import Library
from vnnbench.judging.candidates import read_candidates
from vnnbench.leaderboard.records.reader import read_runs

KILLS = int(os.environ.get("VNNBENCH_KILLS", "20"))
N_SEEDS = 10
TIMES = {
    "wall_seconds", "read_seconds", "cpu_seconds", "peak_memory_bytes", "started_at", "cores", "foreign_seconds",
    "swapped_bytes", "stalled_seconds", "judged_at", "judge_seconds", "first_success_seconds", "dual_steps",
    "primal_steps", "candidates_sha256", "judgement",
}  # fmt: skip
"""The columns that differ from one execution of a run to the next."""


def command(library: Library, results: Path, script: Path) -> list[str]:
    seeds = ",".join(map(str, range(N_SEEDS)))
    return [
        sys.executable, "-m", "vnnbench", "run", str(library.folder), "--results", str(results), "--solver",
        f"scripted:file={script}", "--goal", "optimize", "--jobs", "2", "--seeds", seeds,
    ]  # fmt: skip


def start(words: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def outliving(survivors: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    """Return what survives after the kernel has had a moment."""
    deadline = time.monotonic() + 60
    while (found := survivors()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def facts(results: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of a ledger without times."""
    with closing(sqlite3.connect(results / "ledger.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.row_factory = sqlite3.Row
        return {
            table: [
                {key: row[key] for key in row.keys() if key not in TIMES}  # noqa: SIM118 - a Row iterates over values
                for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")  # noqa: S608
            ]
            for table in ("instances", "results", "judgements")
        }


def finished(results: Path) -> set[str]:
    if not (results / "ledger.sqlite").exists():
        return set()
    with closing(sqlite3.connect(results / "ledger.sqlite")) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'results'").fetchall()
        return {run for (run,) in connection.execute("SELECT run FROM results")} if tables else set()


def check_whole(results: Path, undisturbed: Path) -> None:
    """Check that the folder is as if the harness had not been disturbed."""
    kept = facts(results)
    for table, rows in facts(undisturbed).items():
        by_run = [sorted(some, key=lambda row: json.dumps(row, sort_keys=True)) for some in (rows, kept[table])]
        assert by_run[0] == by_run[1]
    assert sorted(p.relative_to(results) for p in results.rglob("*")) == sorted(
        p.relative_to(undisturbed) for p in undisturbed.rglob("*")
    )
    for path in (results / "candidates").iterdir():
        (mine, columns, names), (other, *final) = (
            read_candidates(path),
            read_candidates(undisturbed / "candidates" / path.name),
        )
        assert [(c.point.tolist(), c.claimed_value) for c in mine.candidates] == [
            (c.point.tolist(), c.claimed_value) for c in other.candidates
        ]
        assert names == final[1] and columns is not None and (columns == final[0]).all()


@pytest.mark.usefixtures("scripted")
def test_harness_killed_at_random_moments_loses_and_doubles_nothing(library, tmp_path, survivors):
    script = tmp_path / "script.json"
    script.write_text(json.dumps([["sleep", 0.005], ["origin"], ["sleep", 0.005], ["origin_result", "unresolved"]]))
    undisturbed = tmp_path / "undisturbed"
    began = time.monotonic()
    with start(command(library, undisturbed, script)) as process:
        assert process.wait(300) == 1, process.stderr.read()  # its final columns violate the file: faults are found
    duration = time.monotonic() - began
    assert len(finished(undisturbed)) == 4 * N_SEEDS

    moments = random.Random(KILLS)  # noqa: S311 - moments, no secrets
    kills = disturbed = 0
    while kills < KILLS:
        results, done = tmp_path / f"killed-{disturbed}", set()
        disturbed += 1
        while len(done) < 4 * N_SEEDS and kills < KILLS:
            with start(command(library, results, script)) as process:
                try:
                    process.wait(moments.uniform(0.0, duration))
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                process.wait(60)
            assert not outliving(survivors)
            now = finished(results)
            assert done <= now  # a finished run stays
            done = now
        with start(command(library, results, script)) as process:
            assert process.wait(300) == 1, process.stderr.read()
        check_whole(results, undisturbed)
        assert not outliving(survivors)
    assert kills == KILLS


@pytest.mark.usefixtures("scripted")
def test_answer_that_comes_while_the_harness_is_stopped_is_a_timeout_of_a_disturbed_run(library, tmp_path):
    """Only the harness could have said when the answer came."""
    script, results = tmp_path / "script.json", tmp_path / "results"
    script.write_text(json.dumps([["sleep", 1.0], ["origin_result", "unresolved"]]))
    words = [*command(library, results, script), "--time-limit", "4", "--select", "rob--tight"]
    words[words.index("--seeds") + 1] = "0"
    with start(words) as process:
        # Only the solver writes into the log that the harness has made.
        while not any(log.stat().st_size for log in results.glob(".work/*/solver.log")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        time.sleep(6.0)
        process.send_signal(signal.SIGCONT)
        process.wait(60)
    (row,) = read_runs(results / "ledger.sqlite").to_dict("records")
    assert (row["ended_by"], row["termination"], row["disturbed"]) == ("time", "unresolved", 1)
    assert 4.0 < row["stalled_seconds"] < 60
