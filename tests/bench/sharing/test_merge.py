"""Bundles of others are judged here, merged whole or not at all, and never replace runs of one's own."""

from __future__ import annotations

import io
import json
import math
import shutil
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

import vnnbench.sharing.merge
from support.silent import Silent
from support.tiny_libraries import BEST, CENTRE, GOOD, write_tiny_library
from vnnbench.cli import run_command
from vnnbench.errors import BundleError, ResultsError
from vnnbench.instances.files import sha256
from vnnbench.isolation.machine import machine_name
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.records.upgrade import columns_of
from vnnbench.leaderboard.tables.render import Format, render
from vnnbench.leaderboard.words import SUBMITTED
from vnnbench.ledger.confirm import confirm
from vnnbench.ledger.validity import own_name
from vnnbench.ledger.writer import LEDGER_NAME, Ledger
from vnnbench.sharing.bundle import write_bundle
from vnnbench.sharing.merge import merge

FACTS = ["instance", "seed", "verdict", "evidence", "fault", "best_exact_value", "dual_bound", "wall_seconds"]


@pytest.fixture
def theirs(play, steps, kept_results):
    """A results folder: a counterexample, a robust claim, a surrogate's optimum and a crash."""

    def plays():
        s = steps("adv--tight")
        play("adv--tight", [s.incumbent(CENTRE), s.incumbent(GOOD)], "find")
        s = steps("rob-mag-u10--tight")
        play("rob-mag-u10--tight", [s.result("optimal", BEST, -0.25)])
        play("rob--tight", [["bound", 0.1]])
        play("rob--tight", [["segfault"]])

    return play.once(kept_results, plays)


@pytest.fixture
def bundled(theirs, tmp_path):
    write_bundle(theirs, tmp_path / "theirs.zip", Silent())
    return tmp_path / "theirs.zip"


def forged(path, change, folder="runs", of=None):
    """Write the bundle with one run's rows (a dict, changed in place) or file changed, and with hashes that fit."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    rows = {name[5:-5]: json.loads(data) for name, data in members.items() if name.startswith("runs/")}
    run = next(run for run, row in rows.items() if of is None or of(row))
    if folder == "runs":
        change(rows[run])
    else:
        name = next(name for name in members if name.startswith(f"{folder}/{run}"))
        members[name] = change(members[name])
        rows[run]["result"]["candidates_sha256"] = sha256(members[f"candidates/{run}.npz"])
    members[f"runs/{run}.json"] = orjson.dumps(rows[run])
    del members["manifest.json"]
    with zipfile.ZipFile(path) as archive:
        manifest = orjson.loads(archive.read("manifest.json"))
    manifest["files"] = {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in members.items()}
    other = path.with_name("forged.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for name, data in {**members, "manifest.json": orjson.dumps(manifest)}.items():
            archive.writestr(name, data)
    return other


def contents(results: Path) -> tuple[object, ...]:
    """Return the rows of a ledger and the names of the files beside it."""
    with closing(sqlite3.connect(results / LEDGER_NAME)) as connection:
        tables = ("machines", "instances", "results", "judgements", "liftings")
        rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]  # noqa: S608
    files = sorted(str(p.relative_to(results)) for p in results.rglob("*") if p.is_file() and "ledger" not in p.name)
    return rows, files


def facts(results):
    return sorted(map(str, read_runs(results / LEDGER_NAME)[FACTS].to_numpy(object).tolist()))


def test_merged_runs_are_judged_here_and_say_what_they_said(theirs, bundled, library_set, tmp_path):
    mine, progress = tmp_path / "mine", Silent()
    merged = merge(mine, bundled, library_set, progress)
    assert (len(merged.added), merged.known, merged.differences) == (4, [], [])
    assert (progress.total, progress.done) == (4, 4)
    assert facts(mine) == facts(theirs)
    assert not (mine / ".work").exists()
    with closing(sqlite3.connect(mine / LEDGER_NAME)) as connection:
        judged = [at for (at,) in connection.execute("SELECT judged_at FROM judgements")]
    with closing(sqlite3.connect(theirs / LEDGER_NAME)) as connection:
        assert min(judged) > connection.execute("SELECT max(judged_at) FROM judgements").fetchone()[0]
    assert confirm(mine, library_set, Silent()) == []  # so the files are in place under the runs' names
    assert len(list((mine / "logs").iterdir())) == 4


def test_machine_of_a_merged_run_is_marked(theirs, bundled, library_set, tmp_path):
    merge(tmp_path / "mine", bundled, library_set, Silent())
    (machine,) = set(read_runs(theirs / LEDGER_NAME).machine)
    runs = read_runs(tmp_path / "mine" / LEDGER_NAME)
    assert set(runs.machine) == {SUBMITTED + machine}
    text = " ".join(render(build_leaderboard(runs), Format.TABLE).split())
    assert "Submitted from 1 machine (`vnnbench merge`): times, terminations and bounds are as submitted" in text


def test_merging_again_changes_nothing(theirs, bundled, library_set, tmp_path):
    mine = tmp_path / "mine"
    merge(mine, bundled, library_set, Silent())
    before = contents(mine)
    merged = merge(mine, bundled, library_set, Silent())
    assert (merged.added, len(merged.known), merged.differences) == ([], 4, [])
    assert contents(mine) == before


def test_own_runs_that_come_back_are_known(theirs, bundled, library_set, tmp_path):
    """The runs come back directly, or through another ledger."""
    before = contents(theirs)
    assert len(merge(theirs, bundled, library_set, Silent()).known) == 4
    merge(tmp_path / "mine", bundled, library_set, Silent())
    write_bundle(tmp_path / "mine", tmp_path / "back.zip", Silent())
    assert len(merge(theirs, tmp_path / "back.zip", library_set, Silent()).known) == 4
    assert contents(theirs) == before


def test_run_of_the_same_plan_stands_beside_the_one_made_here(theirs, bundled, library_set, tmp_path, play):
    """Another machine has run the same plan: neither run hides the other, and `run` still takes its own for done."""
    other = forged(
        bundled, lambda row: row["result"].update(wall_seconds=0.5), of=lambda row: row["instance"] == "adv--tight"
    )
    before = read_runs(theirs / LEDGER_NAME)
    merged = merge(theirs, other, library_set, Silent())
    assert (len(merged.added), len(merged.known)) == (1, 3)
    runs = read_runs(theirs / LEDGER_NAME)
    assert set(before.run) < set(runs.run) and len(runs) == 5
    assert runs[runs.run.isin(before.run)].reset_index(drop=True)[FACTS].equals(before[FACTS])
    with Ledger(theirs) as ledger:
        assert len(ledger.attempts()) == 5 and all(attempt.number == 1 for attempt in ledger.attempts().values())


def test_known_run_stays_as_it_is_and_a_difference_is_reported(bundled, library, library_set, tmp_path, capsys):
    mine = tmp_path / "mine"
    merge(mine, bundled, library_set, Silent())
    before = contents(mine)
    other = forged(bundled, lambda row: row["result"].update(wall_seconds=0.001))
    command = ["merge", str(mine), str(other), "--library", str(library.folder)]
    assert run_command(command) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and ": wall_seconds was " in lines[0] and lines[0].endswith(", is 0.001")
    assert lines[1] == f"{other}: 0 runs judged again and merged, 4 runs already present, 1 difference"
    assert contents(mine) == before


def test_attempts_keep_their_numbers(theirs, library, tmp_path, play, capsys):
    play("rob--tight", [])
    (done,) = play.finished
    name = f"{done.result.run}-2"
    shutil.copy(theirs / "candidates" / f"{done.result.run}.npz", theirs / "candidates" / f"{name}.npz")
    with Ledger(theirs) as ledger:
        ledger.append(replace(done.result, run=name, attempt=2), replace(done.judgement, run=name))
    path, mine = tmp_path / "b.zip", tmp_path / "mine"
    assert run_command(["bundle", str(theirs), "--out", str(path)]) == 0
    merging = ["merge", str(mine), str(path), "--library", str(library.folder)]
    assert run_command(merging) == run_command(merging) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: 5 runs (6 attempts), {path.stat().st_size} bytes",
        f"{path}: 5 runs (6 attempts) judged again and merged, 0 runs already present, 0 differences",
        f"{path}: 0 runs judged again and merged, 5 runs (6 attempts) already present, 0 differences",
    ]
    runs = read_runs(tmp_path / "mine" / LEDGER_NAME)
    assert [(run[16:], n) for run, n in zip(runs.run, runs.attempts, strict=True) if n > 1] == [("-2", 2)]


@pytest.fixture
def on_two_nodes(play, steps, kept_results):
    """A results folder of two nodes with one type of CPU: the second one has a run of its own, and has repeated one of
    the first."""

    def plays():
        play("rob--tight", [["bound", 0.1]])
        (first,) = play.finished
        play("adv--tight", [steps("adv--tight").incumbent(GOOD)], "find")
        (second,) = play.finished
        facts = first.machine.document | {"host": "another"}
        del facts["machine"]
        node = replace(first.machine, host="another", machine=machine_name(facts))
        for done, changed in ((first, {"attempt": 2}), (second, {"seed": second.result.seed + 1})):
            later = "2099-01-01T00:00:00.000+00:00"
            result = replace(done.result, machine=node.machine, started_at=later, **changed)
            result = replace(result, run=own_name(result))
            candidates = play.results / "candidates"
            shutil.copy(candidates / f"{done.result.run}.npz", candidates / f"{result.run}.npz")
            with Ledger(play.results) as ledger:
                ledger.add_machine(node)
                ledger.append(result, replace(done.judgement, run=result.run))

    return play.once(kept_results.with_name("two_nodes"), plays)


def test_runs_of_several_nodes_are_one_submission(on_two_nodes, library_set, tmp_path):
    """An attempt on another node takes the place of the first, as where it was made, also after a second merge."""
    theirs = read_runs(on_two_nodes / LEDGER_NAME)
    assert sorted(theirs.attempts) == [1, 1, 2] and theirs.machine.nunique() == 2
    source = on_two_nodes
    for name in ("mine", "third"):
        write_bundle(source, tmp_path / f"{name}.zip", Silent())
        merged = merge(tmp_path / name, tmp_path / f"{name}.zip", library_set, Silent())
        assert (len(merged.added), merged.differences) == (4, [])
        source = tmp_path / name
        runs = read_runs(source / LEDGER_NAME)
        assert sorted(runs.attempts) == [1, 1, 2] and runs.machine.nunique() == 2 and runs.cpu.nunique() == 1
        (first,) = {machine for machine in theirs.machine if (theirs.machine == machine).sum() == 1}
        assert set(runs.submission.dropna()) == {SUBMITTED + first}
        assert facts(source) == facts(on_two_nodes)
    assert len(merge(on_two_nodes, tmp_path / "third.zip", library_set, Silent()).known) == 4


def test_runs_that_an_older_version_named_after_their_machines_are_known(on_two_nodes, library_set, tmp_path):
    write_bundle(on_two_nodes, tmp_path / "b.zip", Silent())
    mine = tmp_path / "mine"
    merge(mine, of_schema(tmp_path / "b.zip", 10), library_set, Silent())
    before = contents(mine)
    assert read_runs(mine / LEDGER_NAME).submission.isna().all()
    merged = merge(mine, tmp_path / "b.zip", library_set, Silent())
    assert (merged.added, len(merged.known), merged.differences) == ([], 4, [])
    assert contents(mine) == before


def of_schema(path, version):
    """Write the bundle as a version with this ledger schema made it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = orjson.loads(members.pop("manifest.json"))
    columns = {table: [name for name in names if name in columns_of(table, version)] for table, names in
               manifest["columns"].items()}  # fmt: skip
    for name in [name for name in members if name.startswith("runs/")]:
        row = orjson.loads(members[name])
        for part, table in (("result", "results"), ("judgement", "judgements")):
            row[part] = {key: value for key, value in row[part].items() if key in columns[table]}
        members[name] = orjson.dumps(row)
        manifest["files"][name] = {"sha256": sha256(members[name]), "bytes": len(members[name])}
    manifest |= {"schema": version, "columns": columns}
    del manifest["submission"]  # newer than all older schemas
    other = path.with_name("older.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for name, data in {**members, "manifest.json": orjson.dumps(manifest)}.items():
            archive.writestr(name, data)
    return other


def test_bundle_of_schema_4_is_judged_like_any_other(theirs, bundled, library_set, tmp_path):
    merged = merge(tmp_path / "mine", of_schema(bundled, 4), library_set, Silent())
    assert (len(merged.added), merged.differences) == (4, [])
    assert facts(tmp_path / "mine") == facts(theirs)
    counts = ["instance", "own_answers", "transferred_answers"]
    mine, same = (read_runs(path / LEDGER_NAME)[counts] for path in (tmp_path / "mine", theirs))
    assert sorted(mine.to_numpy().tolist()) == sorted(same.to_numpy().tolist())
    assert ["adv--tight", 1, 1] in mine.to_numpy().tolist()


def test_bundle_of_schema_6_has_the_attack_beside_the_ranking(library, library_set, tmp_path):
    """In schema 6, the solver's name says that it is not ranked."""
    ran = tmp_path / "theirs"
    attack = ["--solver", "pgd:restarts=8", "--select", "adv--tight", "--time-limit", "60"]
    assert run_command(["run", str(library.folder), "--results", str(ran), *attack]) == 0
    write_bundle(ran, tmp_path / "b.zip", Silent())
    older = of_schema(tmp_path / "b.zip", 6)
    merge(tmp_path / "mine", older, library_set, Silent())
    runs = read_runs(tmp_path / "mine" / LEDGER_NAME)
    assert runs[["solver", "ranked"]].to_numpy().tolist() == [["pgd", 0]]
    assert len(build_leaderboard(runs).reference) == 1
    again = merge(ran, older, library_set, Silent())  # the run is known when it comes back
    assert (again.added, len(again.known), again.differences) == ([], 1, [])


@pytest.mark.parametrize("ranked", [None, 2, "1"])
def test_a_run_with_an_invalid_field_ranked_is_refused(bundled, library_set, tmp_path, ranked):
    other = forged(bundled, lambda row: row["result"].update(ranked=ranked))
    with pytest.raises(BundleError, match="ranked is "):
        merge(tmp_path / "mine", other, library_set, Silent())


def test_rows_that_lack_what_their_bundle_has_are_refused(bundled, library_set, tmp_path):
    other = forged(bundled, lambda row: row["judgement"].pop("own_answers"))
    with pytest.raises(BundleError, match="it does not have the columns of the ledger"):
        merge(tmp_path / "mine", other, library_set, Silent())


# -- lies ----------------------------------------------------------------------------------------------------------


def robust(row):
    return row["result"]["dual_bound"] == -0.1


def test_judgement_that_a_bundle_states_counts_for_nothing(bundled, library_set, tmp_path):
    lie = {"confirmed": 1, "best_exact_value": 3.0, "evidence": "exact", "first_success_seconds": 0.01}
    other = forged(bundled, lambda row: row["judgement"].update(lie), of=robust)
    merged = merge(tmp_path / "mine", other, library_set, Silent())
    assert {(d.field, d.stored) for d in merged.differences} == set(lie.items())
    runs = read_runs(tmp_path / "mine" / LEDGER_NAME)
    assert sorted(runs.verdict) == ["adversarial", "robust", "unknown", "unknown"]
    assert set(runs.fault) == {"none"}


def test_candidates_that_confirm_nothing_confirm_nothing(bundled, library_set, tmp_path):
    def outside(data):
        with np.load(io.BytesIO(data)) as arrays:
            stored = dict(arrays)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{**stored, "inputs": stored["inputs"] + 0.25})
        return buffer.getvalue()

    found = lambda row: row["instance"] == "adv--tight"  # noqa: E731
    merged = merge(tmp_path / "mine", forged(bundled, outside, "candidates", found), library_set, Silent())
    assert ("evidence", "exact", "repaired") in [(d.field, d.stored, d.found) for d in merged.differences]
    runs = read_runs(tmp_path / "mine" / LEDGER_NAME)
    (run,) = runs[runs.instance == "adv--tight"].itertuples()
    assert run.verdict == "unknown" and run.raw_violation > 0.2 and math.isnan(run.first_success_seconds)


def test_bound_that_a_witness_here_refutes_is_wrong(play, steps, library_set, tmp_path):
    play("adv--tight", [["bound", 0.1], ["wait_stop", 5]])  # no value is above -0.1
    write_bundle(play.results, tmp_path / "b.zip", Silent())
    play.results = tmp_path / "mine"
    play("adv--tight", [steps("adv--tight").incumbent(GOOD)], "find")  # 1/8
    merge(play.results, tmp_path / "b.zip", library_set, Silent())
    runs = read_runs(play.results / LEDGER_NAME)
    submitted = runs.machine.str.startswith(SUBMITTED)
    assert runs[submitted].fault.tolist() == ["solver"] and runs[~submitted].fault.tolist() == ["none"]
    assert contents(play.results)[0][-1]  # the witness was lifted into the file


def test_a_bundle_cannot_claim_a_machine_of_this_ledger(bundled, library_set, tmp_path):
    """Whatever a bundle calls its machine, its runs are those of a submitted one."""
    merge(tmp_path / "mine", bundled, library_set, Silent())
    write_bundle(tmp_path / "mine", tmp_path / "again.zip", Silent())
    merge(tmp_path / "third", tmp_path / "again.zip", library_set, Silent())
    assert set(read_runs(tmp_path / "third" / LEDGER_NAME).machine) == set(
        read_runs(tmp_path / "mine" / LEDGER_NAME).machine
    )
    with closing(sqlite3.connect(tmp_path / "third" / LEDGER_NAME)) as connection:
        connection.row_factory = sqlite3.Row
        (machine,) = map(dict, connection.execute("SELECT * FROM machines"))
    assert machine.pop("machine") == SUBMITTED + machine_name(machine)


# -- nothing half merged -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("poison", "what"),
    [
        ({"time_limit_seconds": 1e308}, "time_limit_seconds is not above 0 and at most 100000000"),
        ({"settings": json.dumps({"a": "x" * 900_000})}, "settings must be a JSON object of options with sorted keys"),
        ({"started_at": "2026-11-28<00:00:00"}, "started_at must be a time such as 2026-01-31T12:00:00.000+00:00"),
    ],
)
def test_impossible_run_is_refused_in_one_line(theirs, bundled, library, tmp_path, capsys, poison, what):
    """A ledger would hold it for ever."""
    before = contents(theirs)
    other = forged(bundled, lambda row: row["result"].update(poison))
    assert run_command(["merge", str(theirs), str(other), "--library", str(library.folder)]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"Error: {other}: is not a bundle that can be merged (runs/") and what in line
    assert contents(theirs) == before


def test_submitted_bound_makes_no_optimum(play, steps, library_set, tmp_path, capsys):
    """`answers` reports the submitted bound, which would prove an optimum if it were trusted."""
    play("adv--tight", [steps("adv--tight").result("optimal", BEST, 0.25)], "optimize")
    write_bundle(play.results, tmp_path / "b.zip", Silent())
    merge(tmp_path / "mine", tmp_path / "b.zip", library_set, Silent())
    for folder, known in ((play.results, "=opt="), (tmp_path / "mine", "=best=")):
        assert run_command(["answers", str(folder)]) == 0
        out, err = capsys.readouterr()
        assert out.startswith(f"{known} adv--tight ")
        assert ("would be opt if bounds claimed by a submission counted, " in err) == (known == "=best=")


def test_bundle_whose_last_run_is_broken_leaves_nothing(theirs, bundled, library_set, tmp_path, play, steps):
    with zipfile.ZipFile(bundled) as archive:
        last = [name for name in archive.namelist() if name.startswith("runs/")][-1]
    other = forged(bundled, lambda data: b"nonsense", "candidates", lambda row: row["result"]["run"] == last[5:-5])
    play.results = tmp_path / "mine"
    play("adv--tight", [steps("adv--tight").incumbent(BEST)])
    before = contents(play.results)
    progress = Silent()
    with pytest.raises(BundleError, match=r"not a readable \.npz"):
        merge(play.results, other, library_set, progress)
    assert progress.done == 3
    assert contents(play.results) == before
    assert len(merge(play.results, bundled, library_set, Silent()).added) == 4


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ResultsError("full")])
def test_merging_that_is_stopped_leaves_nothing(bundled, library_set, tmp_path, error):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(type(error)):
        merge(tmp_path / "mine", bundled, library_set, Silent(3, error))
    assert sorted(tmp_path.rglob("*")) == before
    assert len(merge(tmp_path / "mine", bundled, library_set, Silent()).added) == 4


def test_files_that_cannot_be_put_in_place_leave_no_rows(bundled, library_set, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "logs").write_text("in the way")
    with pytest.raises(ResultsError, match="cannot be written"):
        merge(tmp_path / "mine", bundled, library_set, Silent())
    assert contents(tmp_path / "mine")[0] == [[], [], [], [], []]


def test_results_that_are_a_file_are_one_line(bundled, library, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.write_text("notes")
    for command in (
        ["merge", str(mine), str(bundled), "--library", str(library.folder)],
        ["run", str(library.folder), "--results", str(mine), "--solver", "highs"],
    ):
        assert run_command(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"Error: {mine}: is not a folder; name a folder for the results"
    assert mine.read_text() == "notes"


def test_log_that_does_not_unzip_is_refused(bundled, library_set, tmp_path):
    other = forged(bundled, lambda data: b"#!/bin/sh", "logs")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BundleError, match="cannot be unzipped"):
        merge(tmp_path / "my" / "own" / "results", other, library_set, Silent())
    assert sorted(tmp_path.rglob("*")) == before  # the folders above were not made either


def test_new_folder_stays_when_its_runs_are_in_it(play, steps, library_set, tmp_path, monkeypatch):
    """The folder stays whatever goes wrong after the commit."""
    play("adv--tight", [["bound", 0.1], ["wait_stop", 5]])
    play("adv--tight", [steps("adv--tight").incumbent(GOOD)], "find")
    write_bundle(play.results, tmp_path / "b.zip", Silent())

    def full(*_):
        raise ResultsError("full")

    monkeypatch.setattr(Ledger, "append_lifting", full)
    with pytest.raises(ResultsError, match="full"):
        merge(tmp_path / "mine", tmp_path / "b.zip", library_set, Silent())
    assert len(read_runs(tmp_path / "mine" / LEDGER_NAME)) == 2


def test_instances_of_another_library_are_refused(bundled, tmp_path, capsys):
    other = write_tiny_library(tmp_path / "other", {"adv": 1.5, "rob": 2.0})
    mine = tmp_path / "mine"
    assert run_command(["merge", str(mine), str(bundled), "--library", str(other.folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{bundled}: has runs on adv--tight (hash " in line
    assert f"which {other.folder} does not have; the adv--tight of {other.folder} is another" in line
    assert line.endswith("--library can be repeated")
    assert not mine.exists()


def test_name_of_an_instance_comes_from_the_library(bundled, library, library_set, tmp_path):
    """The name in the bundle is not used."""
    with zipfile.ZipFile(bundled) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = orjson.loads(members.pop("manifest.json"))
    manifest["instances"] = {f"\x1b[31m{name}": digest for name, digest in manifest["instances"].items()}
    for name in members:
        if name.startswith("runs/"):
            document = orjson.loads(members[name])
            document["instance"] = f"\x1b[31m{document['instance']}"
            members[name] = orjson.dumps(document)
    manifest["files"] = {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in members.items()}
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for name, data in {**members, "manifest.json": orjson.dumps(manifest)}.items():
            archive.writestr(name, data)
    merge(tmp_path / "mine", tmp_path / "b.zip", library_set, Silent())
    assert set(read_runs(tmp_path / "mine" / LEDGER_NAME).instance) <= {row.instance for row in library.rows}


def test_files_without_rows_are_overwritten(bundled, library_set, tmp_path, monkeypatch):
    """A kill between the last file and the commit leaves files without rows."""
    (tmp_path / "mine").mkdir()
    in_place = vnnbench.sharing.merge._Merging._put_in_place

    def killed(merging):
        in_place(merging)
        for path in (tmp_path / "mine" / "candidates").iterdir():
            path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(vnnbench.sharing.merge._Merging, "_put_in_place", killed)
    with pytest.raises(KeyboardInterrupt):
        merge(tmp_path / "mine", bundled, library_set, Silent())
    assert contents(tmp_path / "mine")[0] == [[], [], [], [], []]
    monkeypatch.undo()
    assert len(merge(tmp_path / "mine", bundled, library_set, Silent()).added) == 4
    assert confirm(tmp_path / "mine", library_set, Silent()) == []
