"""A ledger of runs on several libraries: confirmed, published, bundled and merged as one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from support.scripts import Steps
from support.silent import Silent
from support.tiny_libraries import GOOD, write_tiny_library
from vnnbench.cli import run_command
from vnnbench.errors import ResultsError
from vnnbench.instances.files import sha256
from vnnbench.instances.library.catalog import catalog_bytes
from vnnbench.instances.library.library import Library, manifest_bytes
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.confirm import confirm
from vnnbench.ledger.writer import LEDGER_NAME, Ledger, instance_row
from vnnbench.output.progress import ProgressBar
from vnnbench.sharing.publish import collect_evidence


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Library:
    """A library of another problem, whose largest value is 0.75."""
    return write_tiny_library(tmp_path_factory.mktemp("other") / "library", {"far": 0.5})


@pytest.fixture(scope="module")
def namesake(tmp_path_factory) -> Library:
    """A library of other contents under the names of the first one."""
    return write_tiny_library(tmp_path_factory.mktemp("namesake") / "library", {"adv": 1.125, "rob": 3.0})


@pytest.fixture(scope="module")
def made(library, other, tmp_path_factory) -> Path:
    """HiGHS's runs on both libraries, in one results folder."""
    folder = tmp_path_factory.mktemp("both") / "results"
    for each in (library, other):
        command = ["run", str(each.folder), "--results", str(folder), "--solver", "highs", "--goal", "optimize"]
        assert run_command(command) == 0
    return folder


@pytest.fixture
def results(made, tmp_path) -> Path:
    """A copy of `made` that a test may add to."""
    return Path(shutil.copytree(made, tmp_path / "results"))


def on(*libraries: Library) -> list[str]:
    return [word for library in libraries for word in ("--library", str(library.folder))]


def renamed(library: Library, folder: Path) -> Library:
    """Return a copy in which every instance has another name, and nothing else is changed."""
    shutil.copytree(library.folder, folder)
    data = catalog_bytes([replace(row, instance=f"my-{row.instance}") for row in library.rows])
    (folder / "catalog.csv").write_bytes(data)
    (folder / "library.json").write_bytes(
        manifest_bytes("tiny", None, [0], {**library.hashes, "catalog.csv": sha256(data)})
    )
    return Library.open(folder)


def test_confirm_takes_all_libraries_in_any_order(results, library, other, namesake, capsys):
    """The namesake has instances of the names that were run, but not of their contents."""
    for libraries in ((library, other), (other, library), (namesake, library, other)):
        assert run_command(["confirm", str(results), *on(*libraries)]) == 0
        assert capsys.readouterr().out == f"{results}: 6 runs judged again, 0 differences\n"


def test_confirm_without_one_of_them_is_one_line_that_says_what_to_do(results, library, namesake, capsys):
    for libraries, instance, more in (
        ((library,), "far--tight", ""),
        ((library, namesake), "far--tight", ""),
        ((namesake,), "adv--tight", f"; the adv--tight of {namesake.folder} is another"),
    ):
        assert run_command(["confirm", str(results), *on(*libraries)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"Error: {results}: has runs on {instance} (hash ")
        folders = ", ".join(str(each.folder) for each in libraries)
        lacking = f"{folders} does not have" if len(libraries) == 1 else f"none of {folders} has"
        assert line.endswith(
            f"), which {lacking}{more}; name every library that the runs were on, for --library can be repeated"
        )


def test_instance_in_two_libraries_is_taken_from_either(results, library, other, tmp_path):
    copy = Library.open(Path(shutil.copytree(library.folder, tmp_path / "copy")))
    again = renamed(library, tmp_path / "renamed")
    for libraries in ((copy, library, other), (library, other, copy), (again, library, other)):
        assert confirm(results, LibrarySet(libraries), Silent()) == []


def test_names_that_no_library_knows_are_differences(results, library, other, tmp_path):
    again = renamed(library, tmp_path / "renamed")
    found = confirm(results, LibrarySet((again, other)), Silent())
    assert [(d.instance, d.field, d.found) for d in found] == [
        (row.instance, "instance", f"my-{row.instance}") for row in sorted(library.rows, key=lambda row: row.instance)
    ]


def test_lifting_of_each_library_comes_out_again(results, library, other, play_in):
    """Each library has a claim that a witness refutes: `far` is 1/2 above `adv` at every point."""
    for opened, instance, bound in ((library, "adv--tight", 0.1), (other, "far--tight", -0.5)):
        play = play_in(opened)
        play.results = results
        steps = Steps(opened, opened.row(instance))
        play(instance, [steps.incumbent(GOOD)], "optimize")
        assert play(instance, [["bound", bound], ["wait_stop", 5]])["fault"] == "solver"
    with closing(sqlite3.connect(results / LEDGER_NAME)) as connection:
        connection.executescript("DROP TRIGGER liftings_no_update; UPDATE liftings SET file_value = 7;")
    found = confirm(results, LibrarySet((library, other)), Silent())
    assert {d.instance for d in found if d.field == "file_value"} == {"adv--tight", "far--tight"}


def test_publish_shows_what_every_library_knows(results, library, other, namesake, tmp_path, capsys):
    out = tmp_path / "site"
    assert run_command(["publish", str(results), *on(namesake, library, other), "--out", str(out)]) == 0
    assert capsys.readouterr().err.splitlines()[-1].endswith(" more files")
    assert len(list((out / "instances").glob("*.html"))) == 6
    assert run_command(["publish", str(results), *on(namesake, other), "--out", str(out)]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("; without pictures, because no --library has them: 4 instances")


def test_best_points_are_of_the_instances_that_were_run(results, library, other, namesake):
    """The best value of `adv` is 1/4, of `far` 3/4; that of the namesake, 1/8, is not shown."""
    runs = read_runs(results / LEDGER_NAME)
    found, lost = collect_evidence(runs, results, LibrarySet((namesake, other, library)), ProgressBar("publish"))
    alone = [
        collect_evidence(runs, results, LibrarySet((each,)), ProgressBar("publish"))[0] for each in (library, other)
    ]
    assert found == {**alone[0], **alone[1]} and lost == 0
    best = {row.instance: found[row.instance_sha256].best for each in (library, other) for row in each.rows}
    assert {name: point and pytest.approx(point.value, abs=1e-5) for name, point in best.items()} == {
        "adv--tight": 0.25,
        "adv-mag-u10--tight": 0.25,
        "far--tight": 0.75,
        "far-mag-u10--tight": 0.75,
        "rob--tight": None,
        "rob-mag-u10--tight": None,
    }


def test_bundle_of_both_is_merged_with_both(results, library, other, namesake, tmp_path, capsys):
    path, mine = tmp_path / "b.zip", tmp_path / "mine"
    assert run_command(["bundle", str(results), "--out", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: 6 runs, {path.stat().st_size} bytes\n"
    assert run_command(["merge", str(mine), str(path), *on(library, namesake)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: {path}: has runs on far--tight (hash ") and "--library can be repeated" in line
    assert not mine.exists()
    assert run_command(["merge", str(mine), str(path), *on(namesake, library, other)]) == 0
    assert capsys.readouterr().out == f"{path}: 6 runs judged again and merged, 0 runs already present, 0 differences\n"
    assert run_command(["confirm", str(mine), *on(library, other)]) == 0
    facts = ["instance", "instance_sha256", "verdict", "best_exact_value"]
    before, after = (read_runs(folder / LEDGER_NAME).sort_values("instance")[facts] for folder in (results, mine))
    assert after.to_numpy().tolist() == before.to_numpy().tolist()


def test_one_name_cannot_mean_two_instances_of_a_ledger(library, namesake, tmp_path):
    rows = [instance_row(each, each.row("adv--tight")) for each in (library, namesake)]
    with Ledger(tmp_path) as ledger, pytest.raises(ResultsError, match="has runs of another instance named adv--tight"):
        ledger.add_instances(rows)
    with closing(sqlite3.connect(tmp_path / LEDGER_NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM instances").fetchone() == (0,)
