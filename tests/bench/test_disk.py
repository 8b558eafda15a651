"""Full disks and read-only folders, at any write: the error is clear, the ledger stays intact, and work can go on."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.silent import Silent
from support.tiny_libraries import BEST, GOOD
from vnnbench.cli import KNOWN_ERRORS, run_command
from vnnbench.harness import run_plan
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.confirm import confirm
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.runs.plan import PlannedRun
from vnnbench.sharing.bundle import write_bundle
from vnnbench.sharing.merge import merge

pytestmark = pytest.mark.usefixtures("own_solvers")  # their output takes room on the disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A small file system of its own: call it with mount options to make or change it."""
    if shutil.which("mount") is None:
        pytest.skip("the program mount is missing (system service)")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def mount(options: str) -> Path:
        nonlocal mounted
        words = ["mount", "-o", f"remount,{options}" if mounted else options]
        words += [str(folder)] if mounted else ["-t", "tmpfs", "tmpfs", str(folder)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode and not mounted:
            pytest.skip(f"file systems cannot be mounted here (privilege): {done.stderr.strip()}")
        assert not done.returncode, done.stderr
        mounted = True
        return folder

    yield mount
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def plan(plan_of, steps) -> list[PlannedRun]:
    s = steps("adv--tight")
    good = [s.incumbent(GOOD), s.result("optimal", BEST, 0.25)]
    scripts = [("adv--tight", good), ("rob--tight", [])]
    return [
        run
        for number in range(3)
        for instance, script in scripts
        for run in plan_of(instance, [["sleep", 0.001 * number], *script], goal=StopGoal.OPTIMIZE)
    ]


def verdicts(results: Path) -> dict[str, tuple[str, str, str]]:
    runs = read_runs(results / "ledger.sqlite")
    return {run.run: (run.ended_by, run.termination, run.verdict) for run in runs.itertuples()}


def check_ledger(results: Path, aside: Path, wanted: dict[str, tuple[str, str, str]]) -> set[str]:
    """Check on a copy, since SQLite wants to write, that whatever is committed is whole and true; return those runs."""
    if not (results / "ledger.sqlite").exists():
        return set()
    aside.mkdir()
    for path in results.glob("ledger.sqlite*"):
        if not path.name.endswith("-shm"):
            shutil.copy(path, aside)
    with closing(sqlite3.connect(aside / "ledger.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            return set()  # the disk was full before the first table
    found = verdicts(aside)
    assert found.items() <= wanted.items()
    return set(found)


@pytest.mark.parametrize(
    ("first", "sizes"),
    [("size=4k", [f"size={kibibytes}k" for kibibytes in range(8, 2000, 12)]),
     ("size=8m,nr_inodes=2", [f"nr_inodes={files}" for files in range(3, 80)])],
    ids=["bytes", "files"],
)  # fmt: skip
def test_disk_that_fills_up_at_any_write_is_a_clear_error_and_the_plan_goes_on(
    library, library_set, tmp_path, disk, plan, first, sizes
):
    run_plan(plan, library, tmp_path / "undisturbed", 1, Silent())
    wanted = verdicts(tmp_path / "undisturbed")
    results, committed, messages = disk(first) / "results", set(), []
    for size in sizes:
        disk(size)
        try:
            run_plan(plan, library, results, 1, Silent())
        except KNOWN_ERRORS as error:
            messages.append(str(error))
        else:
            break
        now = check_ledger(results, tmp_path / f"aside-{size}", wanted)
        assert committed <= now
        committed = now
    assert len(messages) > 5
    assert all("\n" not in message and str(results) in message for message in messages), messages
    assert verdicts(results) == wanted
    assert confirm(results, library_set, Silent()) == []
    assert not [path for path in results.rglob("*") if path.suffix == ".tmp"]


def test_read_only_folder_is_a_clear_error_and_can_still_be_read(library, library_set, tmp_path, disk, plan, capsys):
    results = disk("size=8m") / "results"
    run_plan(plan[:2], library, results, 1, Silent())
    before = verdicts(results)
    disk("ro")
    for attempt in (
        lambda: run_plan(plan, library, results, 1, Silent()),
        lambda: confirm(results, library_set, Silent()),
    ):
        with pytest.raises(KNOWN_ERRORS) as caught:
            attempt()
        assert "\n" not in str(caught.value) and str(results) in str(caught.value)
    assert verdicts(results) == before
    assert run_command(["leaderboard", str(results)]) == 0
    assert "scripted" in capsys.readouterr().out
    disk("rw")
    run_plan(plan, library, results, 1, Silent())
    assert before.items() <= verdicts(results).items()
    assert len(verdicts(results)) == len(plan)


@pytest.mark.parametrize("folder", ["logs", "candidates", ".work"])
@pytest.mark.parametrize("after", [1, 3])
def test_folder_that_can_no_longer_be_written_is_a_clear_error_and_the_plan_goes_on(
    library, tmp_path, disk, plan, folder, after
):
    run_plan(plan, library, tmp_path / "undisturbed", 1, Silent())
    wanted = verdicts(tmp_path / "undisturbed")
    results = disk("size=8m") / "results"

    class Freezing(Silent):
        def advance(self, description: str, steps: int = 1) -> None:
            super().advance(description, steps)
            if self.done == after:
                freeze(results / folder, "+i")

    try:
        with pytest.raises(KNOWN_ERRORS) as caught:
            run_plan(plan, library, results, 1, Freezing())
    finally:
        freeze(results / folder, "-i")
    assert "\n" not in str(caught.value) and str(results / folder) in str(caught.value)
    assert after <= len(check_ledger(results, tmp_path / "aside", wanted)) <= after + 1  # the next run had begun
    run_plan(plan, library, results, 1, Silent())
    assert verdicts(results) == wanted


def freeze(folder: Path, flag: str) -> None:
    """Make a folder unchangeable even for root, or undo that."""
    if shutil.which("chattr") is None:
        pytest.skip("the program chattr is missing (system service)")
    done = subprocess.run(["chattr", flag, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"folders cannot be made immutable here (privilege): {done.stderr.strip()}")


def test_disk_that_fills_up_takes_a_bundle_whole_or_not_at_all(library, library_set, tmp_path, disk, plan):
    """The disk fills up where a bundle is packed, and where it is merged."""
    run_plan(plan, library, tmp_path / "theirs", 1, Silent())
    wanted = len(write_bundle(tmp_path / "theirs", tmp_path / "b.zip", Silent()).attempts)
    folder = disk("size=4k")
    with pytest.raises(KNOWN_ERRORS, match=r"out\.zip: cannot be written"):
        write_bundle(tmp_path / "theirs", folder / "out.zip", Silent())
    assert list(folder.iterdir()) == []
    results, messages = folder / "results", []
    for kibibytes in range(8, 2000, 16):
        disk(f"size={kibibytes}k")
        try:
            assert len(merge(results, tmp_path / "b.zip", library_set, Silent()).added) == wanted
        except KNOWN_ERRORS as error:
            messages.append(str(error))
        else:
            break
        assert check_ledger(results, tmp_path / f"aside-{kibibytes}", {}) == set()
    assert len(messages) > 5
    assert all("\n" not in message and str(results) in message for message in messages), messages
    disk("size=8m")
    assert confirm(results, library_set, Silent()) == []
