"""The exchange of a results folder: epochs, jobs, and finished runs until they are in the ledger."""

from __future__ import annotations

import re
import stat
import threading
import time

import pytest

from support.tiny_libraries import CENTRE
from vnnbench.engines.environment import Environment
from vnnbench.engines.exchange import Exchange, Jobs
from vnnbench.engines.finished_run import CarriedRun
from vnnbench.errors import ResultsError

HERE = Environment({"Python": "3.11.7", "highspy": "1.15.1"})


@pytest.fixture
def exchange(tmp_path) -> Exchange:
    return Exchange(tmp_path / "head")


@pytest.fixture
def carried(play, steps) -> CarriedRun:
    play("adv--tight", [steps("adv--tight").incumbent(CENTRE)], "optimize")
    return CarriedRun.collect(play.finished[0], play.results)


def removers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("remover")]


def test_no_thread_is_left_after_the_end_even_when_it_was_interrupted_as_it_started(exchange, monkeypatch):
    """The interpreter would wait for such a thread without end."""
    exchange.begin(HERE)

    def interrupted(started: threading.Event, timeout: float | None = None) -> bool:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Event, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        exchange.forget("ab" * 8)
    assert removers()
    exchange.close()
    deadline = time.monotonic() + 10
    while removers() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not removers()


def test_a_new_epoch_ends_the_one_before(exchange):
    first = exchange.begin(HERE)
    assert exchange.environment(first) == HERE
    second = exchange.begin(HERE)
    assert exchange.environment(first) is None
    assert exchange.environment(second) == HERE
    exchange.end()
    assert exchange.environment(second) is None


def test_only_the_user_can_read_the_folder_of_an_epoch(exchange):
    epoch = exchange.begin(HERE)
    assert stat.S_IMODE((exchange.folder / epoch).stat().st_mode) == 0o700


def test_jobs_are_noted_until_the_exchange_is_cleared(exchange):
    assert exchange.noted_jobs() is None
    exchange.begin(HERE)
    exchange.note_jobs(Jobs("slurm", "ab12", ("7", "8_1")))
    assert exchange.noted_jobs() == Jobs("slurm", "ab12", ("7", "8_1"))
    exchange.clear(lambda name: True)
    assert exchange.noted_jobs() is None
    assert not exchange.folder.exists()


def test_a_folder_in_the_place_of_a_file_is_one_line(exchange):
    (exchange.folder / "epoch.json").mkdir(parents=True)
    with pytest.raises(ResultsError, match=r"epoch.json: cannot be removed \(Is a directory\)"):
        exchange.end()


def test_a_file_in_the_place_of_the_exchange_is_one_line(exchange):
    exchange.results.mkdir()
    exchange.folder.touch()
    with pytest.raises(ResultsError, match=r"cannot be removed \(Not a directory\)"):
        exchange.end()
    with pytest.raises(ResultsError, match=r"cannot be written \((Not a directory|File exists)\)"):
        exchange.begin(HERE)


def test_a_finished_run_is_there_until_it_is_forgotten(exchange, carried):
    run = carried.finished.result.run
    assert exchange.collect(run) is None
    exchange.forget(run)
    exchange.publish(carried)
    (exchange.results / "candidates").mkdir()
    (exchange.results / "candidates" / f"{run}.npz").write_text("of a head that was killed")
    assert exchange.collect(run) == exchange.collect(run) == carried.finished
    assert len(list((exchange.results / "candidates").iterdir())) == 1
    exchange.forget(run)
    exchange._remover.shutdown()
    assert exchange.collect(run) is None
    assert list((exchange.folder / "finished").iterdir()) == []
    assert [path.name for path in (exchange.results / "logs").iterdir()] == [f"{run}.log.gz"]
    assert [path.name for path in (exchange.results / "candidates").iterdir()] == [f"{run}.npz"]


def test_what_is_left_is_removed_but_for_runs_that_are_not_stored(exchange, carried):
    run, epoch = carried.finished.result.run, exchange.begin(HERE)
    (exchange.folder / epoch / "parsl.log").write_text("said")
    exchange.publish(carried)
    (exchange.folder / "finished" / f"{'ab' * 8}-{'0' * 32}").mkdir()  # begun by a worker that was killed
    Exchange(exchange.results).clear(lambda name: False)
    assert [path.name for path in exchange.folder.iterdir()] == ["finished"]
    assert exchange.collect(run) == carried.finished
    assert len(list((exchange.folder / "finished").iterdir())) == 2
    Exchange(exchange.results).clear(lambda name: name == run)
    assert not exchange.folder.exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "[" * 1000, '{"jobs": 3, "provider": "slurm", "epoch": ""}', '{"provider": 1, "jobs": []}']
)
def test_a_broken_file_is_one_line(exchange, text):
    epoch = exchange.begin(HERE)
    for name in ("jobs.json", "epoch.json"):
        (exchange.folder / name).write_text(text)
    with pytest.raises(ResultsError) as caught:
        exchange.noted_jobs()
    assert re.fullmatch(
        r"\S+/\.exchange/jobs\.json: [^\n]+, and remove this file, which loses no run", str(caught.value)
    )
    (exchange.folder / "epoch.json").write_text(f'{{"epoch": "{epoch}", "environment": [3]}}')
    with pytest.raises(ResultsError, match="does not describe an environment"):
        exchange.environment(epoch)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ({"Python": "3.11.7", "highspy": "1.15.1"}, None),
        ({"Python": "3.12.1", "highspy": "1.15.1"}, "Python is 3.12.1 here and 3.11.7 where the work was planned"),
        ({"Python": "3.11.7"}, "highspy is missing here and 1.15.1 where the work was planned"),
        ({**HERE.facts, "torch": "2.9"}, "torch is 2.9 here and missing where the work was planned"),
    ],
)
def test_the_first_difference_of_environments_is_named(found, line):
    assert Environment(found).mismatch(HERE) == line


def test_the_manifest_of_a_library_is_part_of_the_environment(library, values):
    assert Environment.here(library).mismatch(Environment.here(library)) is None
    assert "the library's manifest is" in str(Environment.here(library).mismatch(Environment.here(values)))
