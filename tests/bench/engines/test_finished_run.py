"""A finished run comes back as it was, whole or not at all; of several writers, the first one counts."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

import vnnbench.engines.finished_run
from support.tiny_libraries import BEST, CENTRE
from vnnbench.engines.finished_run import CANDIDATES, LOG, RUN, CarriedRun, publish, put_published, read_published
from vnnbench.errors import ResultsError
from vnnbench.instances.files import sha256


@pytest.fixture
def carried(play, steps) -> CarriedRun:
    """A run with candidates, steps, columns and a log."""
    s = steps("adv--tight")
    script = [["bound", -1.0], s.incumbent(CENTRE), ["bound", -0.5], s.incumbent(BEST)]
    play("adv--tight", [*script, s.result("optimal", BEST, 0.25)], "optimize")
    return CarriedRun.collect(play.finished[0], play.results)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "shared"


def name_of(run: CarriedRun) -> str:
    return run.finished.result.run


def other(run: CarriedRun, number: int) -> CarriedRun:
    """Return the same run as another writer finished it, whose log says which."""
    result = replace(run.finished.result, wall_seconds=1000.0 + number)
    return replace(run, finished=replace(run.finished, result=result), log=gzip.compress(f"{number}".encode(), mtime=0))


def writers(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()]


def test_finished_run_comes_back_as_it_was(carried, folder, play, tmp_path):
    assert read_published(folder, name_of(carried)) is None
    assert publish(folder, carried)
    found = read_published(folder, name_of(carried))
    assert repr(found) == repr(carried)  # 1 is not 1.0, nor -0.0 0.0
    assert put_published(folder, name_of(carried), tmp_path / "head") == carried.finished
    kept = [path.relative_to(play.results) for path in play.results.rglob("*.*z*")]
    assert len(kept) == 2
    assert all((tmp_path / "head" / path).read_bytes() == (play.results / path).read_bytes() for path in kept)


@pytest.mark.parametrize(
    "script",
    [
        [],
        [["raise", "oo\0ps \ud800 é\nline"]],
        [["kill", 9]],
        [["bound", float("nan")], ["result", "optimal", float("inf"), None, float("-inf")]],
        [["result", "infeasible"]],
    ],
    ids=["nothing", "raises", "dies", "absurd", "infeasible"],
)
def test_however_a_run_ends_it_can_be_carried(play, folder, script):
    play("rob--tight", script)
    run = CarriedRun.collect(play.finished[0], play.results)
    assert publish(folder, run)
    assert repr(read_published(folder, name_of(run))) == repr(run)


def test_a_later_writer_finds_that_it_lost_and_leaves_the_files_of_the_first(carried, folder):
    assert publish(folder, carried)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    assert not publish(folder, other(carried, 1))
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
    assert len(writers(folder)) == 1
    assert read_published(folder, name_of(carried)) == carried


def test_among_simultaneous_writers_one_wins_and_its_files_are_whole(carried, folder, monkeypatch):
    """All writers wait for each other before the record appears."""
    for turn in range(5):
        here, barrier = folder / str(turn), threading.Barrier(8)
        link = Path.hardlink_to

        def together(path: Path, target: Path, link=link, barrier=barrier) -> None:
            barrier.wait(30)
            link(path, target)

        monkeypatch.setattr(Path, "hardlink_to", together)
        won: list[int] = []

        def write(number: int, here=here, won=won) -> None:
            if publish(here, other(carried, number)):
                won.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        monkeypatch.undo()
        assert len(won) == len(writers(here)) == len(list(here.glob("*.json"))) == 1
        assert read_published(here, name_of(carried)) == other(carried, won[0])


KILLED = """
import os, sys
from pathlib import Path
from vnnbench.engines.finished_run import publish, put_published, read_published
source, folder, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
run = read_published(source, name)

def killed_at(step):
    steps = [0]
    def stops(call):
        def counted(*arguments, **keywords):
            steps[0] += 1
            if steps[0] > step:
                os.kill(os.getpid(), 9)
            return call(*arguments, **keywords)
        return counted
    for owner, call in ((os, "mkdir"), (os, "fsync"), (os, "link")):
        setattr(owner, call, stops(getattr(owner, call)))
    publish(folder / str(step), run)
    os._exit(0)

for step in range(100):
    (folder / str(step)).mkdir(parents=True)
    if not (child := os.fork()):
        killed_at(step)
    if os.waitpid(child, 0)[1] == 0:
        break
print(step)
"""


def test_a_writer_that_is_killed_at_any_step_leaves_no_record_and_a_later_one_succeeds(carried, folder, tmp_path):
    assert publish(tmp_path / "whole", carried)
    arguments = [str(tmp_path / "whole"), str(folder), name_of(carried)]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = int(done.stdout)
    assert steps == 1 + len((RUN, CANDIDATES, LOG, "record")) + 2 + 1 + 1  # folder, files, folders, link, folder
    for step in range(steps + 1):
        here = folder / str(step)
        is_published = step >= steps - 1  # killed after the link, or not at all
        assert len(list(here.glob("*.json"))) == is_published
        assert read_published(here, name_of(carried)) == (carried if is_published else None)
        assert publish(here, other(carried, 1)) is not is_published
        assert read_published(here, name_of(carried)) == (carried if is_published else other(carried, 1))


@pytest.mark.parametrize("call", ["mkdir", "fsync", "link"])
def test_a_disk_that_refuses_is_one_line_and_leaves_nothing(carried, folder, monkeypatch, call):
    def refuse(*_arguments, **_keywords):
        raise OSError(28, "No space left on device", str(folder))

    folder.mkdir()
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(ResultsError, match="cannot be written \\(No space left on device\\)"):
        publish(folder, carried)
    assert list(folder.iterdir()) == []


def test_our_own_link_that_a_file_server_reports_as_there_is_a_success(carried, folder, monkeypatch):
    link = os.link

    def twice(*arguments, **keywords):
        link(*arguments, **keywords)
        link(*arguments, **keywords)  # raises FileExistsError

    monkeypatch.setattr(os, "link", twice)
    assert publish(folder, carried)
    assert read_published(folder, name_of(carried)) == carried


def test_an_interruption_after_the_link_loses_no_file(carried, folder, monkeypatch):
    link = os.link

    def interrupted(*arguments, **keywords):
        link(*arguments, **keywords)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(folder, carried)
    assert read_published(folder, name_of(carried)) == carried


# -- what was altered ----------------------------------------------------------------------------------------------


@pytest.fixture
def published(carried, folder) -> CarriedRun:
    assert publish(folder, carried)
    return carried


def error_of(folder: Path, run: CarriedRun) -> str:
    with pytest.raises(ResultsError) as caught:
        read_published(folder, name_of(run))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_altered_byte_of_any_file_is_one_line(published, folder):
    (writer,) = writers(folder)
    record = folder / f"{name_of(published)}.json"
    for path in (record, *(writer / name for name in (RUN, CANDIDATES, LOG))):
        data = path.read_bytes()
        for place in range(0, len(data), 1 if path == record else 7):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            error_of(folder, published)
        for altered in (b"", data[:-1], data + b" "):
            path.write_bytes(altered)
            error_of(folder, published)
        path.write_bytes(data)
    assert read_published(folder, name_of(published)) == published


@pytest.mark.parametrize("name", [RUN, CANDIDATES, LOG])
def test_a_file_that_is_gone_or_a_link_is_one_line(published, folder, tmp_path, name):
    (writer,) = writers(folder)
    (tmp_path / "elsewhere").write_bytes((writer / name).read_bytes())
    (writer / name).unlink()
    assert f"{name}: cannot be read (No such file" in error_of(folder, published)
    (writer / name).symlink_to(tmp_path / "elsewhere")
    assert f"{name}: cannot be read" in error_of(folder, published)
    (writer / name).unlink()
    os.mkfifo(writer / name)
    assert f"{name}: is not a file" in error_of(folder, published)


def test_a_folder_of_a_writer_that_is_a_link_is_not_followed(published, folder, tmp_path):
    (writer,) = writers(folder)
    writer.rename(tmp_path / "elsewhere")
    writer.symlink_to(tmp_path / "elsewhere")
    assert "cannot be read" in error_of(folder, published)


def test_files_are_not_read_beyond_their_limits(published, folder):
    (writer,) = writers(folder)
    record = folder / f"{name_of(published)}.json"
    for path in (*(writer / name for name in (RUN, CANDIDATES, LOG)), record):
        data = path.read_bytes()
        os.truncate(path, 1 << 40)
        assert f"{path}: has 1099511627776 bytes; at most " in error_of(folder, published)
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"writer": "../" + "a" * 29}, "writer is not 32 hexadecimal digits"),
        ({"writer": None}, "writer is not 32 hexadecimal digits"),
        ({"writer": "a" * 32}, "cannot be read (No such file or directory)"),
        ({"format": 2}, "is not a commit record of format 1"),
        ({"run": "ab" * 8}, "is not the commit record of run"),
        ({"files": {}}, "does not list the sha256 and bytes"),
        ({"files": {RUN: 1, CANDIDATES: 2, LOG: 3}}, "does not list the sha256 and bytes"),
        ({"files": {RUN: {}, CANDIDATES: {}, LOG: {}}}, "does not list the sha256 and bytes"),
        ({"more": 1}, "is not the commit record of run"),
    ],
)
def test_a_record_that_no_writer_wrote_is_one_line(published, folder, changes, what):
    path = folder / f"{name_of(published)}.json"
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | changes))
    assert what in error_of(folder, published)


def forge(folder: Path, run: CarriedRun, name: str, data: bytes) -> None:
    """Change a file of a published run and make the record fit, as an attacker who knows the format can."""
    (writer,) = writers(folder)
    (writer / name).write_bytes(data)
    path = folder / f"{name_of(run)}.json"
    record = orjson.loads(path.read_bytes())
    record["files"][name] = {"sha256": sha256(data), "bytes": len(data)}
    path.write_bytes(orjson.dumps(record))


@pytest.mark.parametrize(
    ("row", "changes", "what"),
    [
        ("result", {"seed": 1}, "its name does not follow from its plan"),
        ("result", {"run": "ab" * 8}, "its name does not follow from its plan"),
        ("result", {"wall_seconds": None}, "wall_seconds is missing"),
        ("result", {"wall_seconds": 1}, "wall_seconds is not a finite number"),
        ("result", {"incumbents": 17}, "candidates, but its run had 17 incumbents"),
        ("result", {"machine": "ab" * 6}, "the judgement or the machine is that of another run"),
        ("result", {"machine": "submitted-ab"}, "its name does not follow from its plan"),
        ("result", {"ended_by": "luck"}, "ended_by must be one of solver, "),
        ("result", {"dual_steps": "[[2.0, 2.0], [1.0, 1.0]]"}, "dual_steps must be pairs of seconds and bounds"),
        ("result", {"candidates_sha256": "ab" * 32}, "is not the file that its run wrote (sha256 differs)"),
        ("result", {"more": 1}, "it does not have the columns of the ledger"),
        ("judgement", {"run": "ab" * 8}, "the judgement or the machine is that of another run"),
        ("judgement", {"confirmed": 2}, "confirmed is not from 0 to 1"),
        ("judgement", {"evidence": "certain"}, "evidence must be one of"),
        ("judgement", {"best_exact_value": 1e301}, "best_exact_value is not from"),
        ("machine", {"cores": 2**21}, "cores is not from 1 to"),
        ("machine", {"cpu": "other"}, "the name of the machine does not follow from its facts"),
    ],
)
def test_a_field_that_no_run_has_is_one_line(published, folder, row, changes, what):
    (writer,) = writers(folder)
    rows = orjson.loads((writer / RUN).read_bytes())
    rows[row] |= changes
    forge(folder, published, RUN, orjson.dumps(rows))
    assert what in error_of(folder, published)


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        (RUN, b"[]", "run.json does not contain a run"),
        (RUN, b'{"machine":[],"result":[],"judgement":[]}', "it does not have the columns of the ledger"),
        (RUN, b"{", "run.json is not JSON"),
        (LOG, b"no log", "log.gz: is not a gzip file"),
        (LOG, gzip.compress(b"log", mtime=0)[:-1], "log.gz: is not one complete gzip stream"),
        (LOG, gzip.compress(bytes((64 << 20) + 1)), "log.gz: holds more than 67108864 bytes"),
        (CANDIDATES, b"nonsense", "candidates.npz: is not the file that its run wrote"),
    ],
)
def test_a_file_that_no_run_leaves_is_one_line(published, folder, name, data, what):
    forge(folder, published, name, data)
    assert what in error_of(folder, published)


def test_the_files_of_another_run_are_not_those_of_this_one(published, folder, play, plan_of):
    play("rob--tight", [])
    another = CarriedRun.collect(play.finished[0], play.results)
    assert publish(folder, another)
    record = folder / f"{name_of(another)}.json"
    document = orjson.loads(record.read_bytes()) | {"run": name_of(published)}
    theirs, ours = (folder / f"{name_of(run)}-{document['writer']}" for run in (another, published))
    theirs.rename(ours)
    (folder / f"{name_of(published)}.json").write_bytes(orjson.dumps(document))
    assert "run.json contains another run" in error_of(folder, published)


def test_values_that_could_not_be_read_are_not_written(carried, folder, monkeypatch):
    result = replace(carried.finished.result, wall_seconds=float("nan"))
    forged = replace(carried, finished=replace(carried.finished, result=result))
    with pytest.raises(ResultsError, match="wall_seconds is not a finite number"):
        publish(folder, forged)
    monkeypatch.setitem(vnnbench.engines.finished_run._MOST, LOG, len(carried.log) - 1)
    with pytest.raises(ResultsError, match=r"log\.gz has \d+ bytes; at most"):
        publish(folder, carried)
    assert not folder.exists()


def test_garbage_gives_only_these_errors(published, folder):
    """Each file is altered by itself, with a record that fits it, so that its own checks are met."""
    (writer,) = writers(folder)
    chance = random.Random(14)  # noqa: S311
    pieces = [b"{", b"}", b"[" * 600, b'"', b"\\u0000", b"1e999", b"-1", b"null", b"\xff", b"PK\3\4", bytes(8)]
    for name in (RUN, CANDIDATES, LOG):
        data = (writer / name).read_bytes()
        for _ in range(150):
            altered = bytearray(data)
            for _ in range(chance.randint(1, 3)):
                place = chance.randrange(len(altered))
                altered[place : place + chance.randint(0, 40)] = chance.choice(pieces)
            forge(folder, published, name, bytes(altered))
            try:
                found = read_published(folder, name_of(published))
            except ResultsError as error:
                assert "\n" not in str(error)
            else:
                assert found is not None and (name != CANDIDATES or altered == data)
        forge(folder, published, name, data)
    assert read_published(folder, name_of(published)) == published


def test_a_record_that_is_a_link_or_a_pipe_is_not_read(published, folder, tmp_path):
    path = folder / f"{name_of(published)}.json"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert "cannot be read" in error_of(folder, published)
    path.unlink()
    os.mkfifo(path)
    assert "is not a file" in error_of(folder, published)


def test_names_are_those_of_the_format():
    """Other machines may run another version: the names may not change without a new format."""
    module = vnnbench.engines.finished_run
    assert (module.FORMAT, RUN, CANDIDATES, LOG) == (1, "run.json", "candidates.npz", "log.gz")
