"""A solver that changes its folder and the files in it harms its own run alone, and this is reported."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.plays import log_of
from vnnbench.cli import run_command
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.runs.run_folder import LOG_NAME, OUTPUT_NAME, clear_work

OK = ["result", "unresolved"]

LOCKED = {
    "the folder": "import os; os.chmod('.', 0)",
    "the folder around": "import os; os.chmod('..', 0)",
    "a folder with a file": "import os; os.mkdir('sub'); open('sub/file', 'w').close(); os.chmod('sub', 0)",
    "all of them": "import os; os.mkdir('sub'); open('sub/file', 'w').close()\n"
    "for folder in ('sub', '.', '..'): os.chmod(folder, 0o500)",
    "deep down": "import os\nfor _ in range(500): os.mkdir('d'); os.chdir('d')\nos.mkdir('e'); os.chmod('.', 0)",
    "its model file": "import os; [os.chmod(name, 0) for name in os.listdir('.')]",
}


@pytest.fixture
def results(tmp_path, scripted) -> Path:
    return tmp_path / "results"


# -- permissions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", LOCKED)
def test_run_that_takes_permissions_away_harms_no_other_and_nothing_of_it_stays(results, command_line, what):
    """Four runs of this kind run one after the other, and four more beside them."""
    for seeds in ("0", "1,2"):
        done = command_line([["python", LOCKED[what]], OK], "--seeds", seeds)
        assert done.returncode == 0, done.stderr
    rows = read_runs(results / "ledger.sqlite")
    assert len(rows) == 12 and set(rows.ended_by) == {"solver"}, rows.message.tolist()
    assert not list(results.glob(".work*"))


def test_locked_remains_of_a_killed_run_are_removed(results, command_line):
    locked = results / ".work" / "killed" / "sub"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    for folder in (locked, locked.parent, locked.parent.parent):
        folder.chmod(0)
    done = command_line([OK])
    assert done.returncode == 0, done.stderr
    assert not list(results.glob(".work*"))


def test_remains_that_cannot_be_removed_are_moved_aside_with_one_line_and_stop_nothing(results, command_line, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can make a file of another user (privilege)")
    theirs = results / ".work" / "killed"
    theirs.mkdir(parents=True)
    (theirs / "file").touch()
    os.chown(theirs, 65534, 65534)
    for attempt in range(2):
        done = command_line([OK], "--seeds", str(attempt))
        assert done.returncode == 0, done.stderr
        (aside,) = results.glob(".work*")
        assert (aside / "killed" / "file").exists()
        told = [line for line in done.stderr.splitlines() if "cannot be removed" in line]
        assert told == ([] if attempt else [f"warning: {aside}: a run left files there that cannot be removed, such as "
                                            "those of another user"])  # fmt: skip
    assert len(read_runs(results / "ledger.sqlite")) == 8


def test_work_folder_is_cleared_of_links_without_following_them(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    (tmp_path / ".work").symlink_to(tmp_path / "precious")
    assert list(clear_work(tmp_path).iterdir()) == []
    (tmp_path / ".work" / "run").symlink_to(tmp_path / "precious")
    clear_work(tmp_path)
    assert (tmp_path / "precious" / "file").read_text() == "mine"


# -- the log and the output ----------------------------------------------------------------------------------------

REPLACED = {
    "link": "os.unlink(name); os.symlink(secret, name)",
    "hard link": "os.unlink(name); os.link(secret, name)",
    "pipe": "os.unlink(name); os.mkfifo(name)",
    "folder": "os.unlink(name); os.mkdir(name)",
    "zeros": "os.unlink(name); os.symlink('/dev/zero', name)",
    "another file": "os.rename(secret, name)",
    "another folder": "here = os.getcwd(); os.rename(here, here + '-aside'); os.symlink(os.path.dirname(secret), here)",
}


@pytest.mark.parametrize("name", [LOG_NAME, OUTPUT_NAME])
@pytest.mark.parametrize("how", REPLACED)
def test_stored_log_holds_only_what_the_run_wrote(play, tmp_path, name, how):
    secret = tmp_path / "foreign" / name
    secret.parent.mkdir()
    secret.write_text("a secret")
    program = f"import os; name, secret = {name!r}, {str(secret)!r}; print('printed', flush=True); {REPLACED[how]}"
    row = play("rob--tight", [["python", program], OK])
    assert row["ended_by"] == "solver"
    log = log_of(play.results, row["run"])
    assert "a secret" not in log
    assert "scripted log" in log and "printed" in log
    assert f"{name}: replaced or removed during the run; what is in its place is not stored" in log
    assert not list(play.results.glob(".work*"))


def test_sparse_log_is_stored_in_part(play):
    row = play("rob--tight", [["python", f"import os; os.truncate({LOG_NAME!r}, 100 << 20)"], OK])
    assert row["ended_by"] == "solver"
    assert len(log_of(play.results, row["run"])) <= 17 << 20


def test_shared_texts_do_not_name_the_folders_of_the_user(tmp_path, play, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    elsewhere = f"/mnt{tmp_path}/home/licence"  # is not in the home folder
    told = f"'no {tmp_path}/home/licence, {elsewhere} in ' + os.getcwd()"
    row = play("rob--tight", [["python", f"import os; print(os.getcwd()); raise OSError({told})"]])
    assert row["message"] == f"OSError: no ~/licence, {elsewhere} in ."
    log = log_of(play.results, row["run"])
    assert str(tmp_path / "home") not in log.replace(elsewhere, "") and ".work" not in log


def test_user_without_a_home_folder_has_logs_all_the_same(play, monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)  # the machine has no such user
    row = play("rob--tight", [OK])
    assert log_of(play.results, row["run"]) == "scripted log\n"


# -- input files ---------------------------------------------------------------------------------------------------


def test_run_that_changes_its_model_file_is_marked_in_its_row_and_in_the_summary(library, tmp_path, scripted, capsys):
    script = tmp_path / "script.json"
    script.write_text(json.dumps([["spoil", "rewrite"], OK]))
    arguments = ["run", str(library.folder), "--results", str(tmp_path / "results"), "--solver"]
    assert run_command([*arguments, f"scripted:file={script}", "--select", "rob--tight"]) == 0
    (row,) = read_runs(tmp_path / "results" / "ledger.sqlite").itertuples()
    assert row.message == "rob--tight.mps.gz: changed or removed during the run"
    assert f"  note: scripted on rob--tight: {row.message}\n" in capsys.readouterr().err
