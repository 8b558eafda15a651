"""The README tells the truth: its commands run as printed, and its set-up is what CI does."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from vnnbench.leaderboard.ranking.column_form import Column, Rows
from vnnbench.leaderboard.ranking.columns import COLUMNS
from vnnbench.leaderboard.records.schema import SCHEMA
from vnnbench.leaderboard.text import markdown_text
from vnnbench.solvers.registry import installed_solvers

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The bodies of the code blocks in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """What follows a `$ ` prompt, in order; a line that ends in a backslash goes on in the next."""
    lines = block.replace("\\\n", "").splitlines()
    return [line[2:] for line in lines if line.startswith("$ ")]


def run_as_printed(block: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands(block):
        done = subprocess.run(
            shlex.split(command),
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def as_on_a_machine_of_its_own(output: str) -> str:
    """Without what is told of other work: a warning that cores are short, and disturbed runs."""
    told = r"^warning: .* cores?\b.*\n|, \d+ disturbed$|^\d+ runs? (was|were) disturbed .*\n"
    return re.sub(told, "", output, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the README's sessions run, one after the other."""
    return tmp_path_factory.mktemp("readme")


def test_ci_runs_the_readme_test_command() -> None:
    (set_up_and_quickstart, set_up_and_tests) = [line for block in blocks("sh") for line in block.splitlines()][:2]
    assert "vnnbench quickstart" in set_up_and_quickstart
    assert set_up_and_tests in (ROOT / ".ci" / "run").read_text().splitlines()
    (folder,) = re.findall(r"-m alone (\S+)$", set_up_and_tests)
    tests = {path for path in (ROOT / "tests").rglob("test_*.py") if "mark.alone" in path.read_text()}
    assert tests - {Path(__file__)} <= {*(ROOT / folder).rglob("test_*.py")}


def test_the_session_runs_as_printed(folder: Path) -> None:
    session = blocks("console")[0]
    assert len(commands(session)) >= 6
    run_as_printed(session, folder)


def test_the_python_example_runs_and_finds_what_the_session_ran(folder: Path) -> None:
    (example,) = [block for block in blocks("python") if "import vnnbench\n" in block]
    if not (folder / "results").is_dir():
        run_as_printed(blocks("console")[0], folder)
    done = subprocess.run([sys.executable, "-c", example], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "adversarial" in done.stdout and re.search(r"^True -?\d+/\d+$", done.stdout, flags=re.MULTILINE)


def test_the_session_with_others_runs_as_printed(folder: Path) -> None:
    (session,) = [block for block in blocks("console") if "vnnbench merge" in block]
    if not (folder / "results").is_dir():
        run_as_printed(blocks("console")[0], folder)
    run_as_printed(session, folder)
    assert (folder / "chosen").is_file()


def test_the_session_with_programs_runs_as_printed(folder: Path) -> None:
    missing = {"cbc", "glpk"} - set(installed_solvers())
    if missing:
        pytest.skip(f"{' and '.join(sorted(missing))} not installed")
    if not (folder / "library").is_dir():
        run_as_printed("\n".join(f"$ {command}" for command in commands(blocks("console")[0])[:1]), folder)
    (toml,) = [block for block in blocks("toml") if "program =" in block]
    (session,) = [block for block in blocks("console") if "--solver glpk-cuts.toml" in block]
    (folder / "glpk-cuts.toml").write_text(toml)
    run_as_printed(session, folder)


def test_the_mnist_suite_generates_as_printed(tmp_path: Path) -> None:
    data = os.environ.get("VNNBENCH_TEST_DATA")
    if not data or not (Path(data) / "mnist").is_dir():
        pytest.skip("needs VNNBENCH_TEST_DATA with mnist")
    (command,) = [line for block in blocks("sh") for line in block.splitlines() if "generate pham2025-smoke" in line]
    arguments = [*shlex.split(command.replace("DIR", data)), "--select", "mnist-18x18-2x32-*"]
    executable = Path(sys.executable).parent / arguments[0]
    subprocess.run([executable, *arguments[1:]], cwd=tmp_path, check=True)
    assert (tmp_path / "smoke" / "library.json").is_file()


def test_the_import_runs_as_printed(tmp_path: Path) -> None:
    data = os.environ.get("VNNBENCH_TEST_DATA")
    if not data or not (Path(data) / "vnncomp_mnist_fc").is_dir():
        pytest.skip("needs VNNBENCH_TEST_DATA with vnncomp_mnist_fc")
    for path in (Path(data) / "vnncomp_mnist_fc").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (block,) = [block for block in blocks("text") if block.startswith("$ vnnbench import")]
    for part in block.split("$ ")[1:]:
        command, *printed = part.splitlines()
        executable, *arguments = shlex.split(command)
        done = subprocess.run(
            [Path(sys.executable).parent / executable, *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        assert as_on_a_machine_of_its_own(done.stdout).splitlines() == printed


def test_the_benchmarks_it_names_exist() -> None:
    named = set(re.findall(r"tests/performance/\w+\.py", README))
    assert named == {f"tests/performance/{path.name}" for path in (ROOT / "tests" / "performance").glob("*.py")}


def test_every_field_of_a_result_is_in_the_table() -> None:
    (table,) = re.findall(r"^## Fields of a result\n(.*?)^## ", README, flags=re.MULTILINE | re.DOTALL)
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| ")][2:]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        fields = [name for _, name, *_ in connection.execute("PRAGMA table_info(runs)")]
    assert sorted(name.strip() for cell in cells for name in cell.split(",")) == sorted(fields)


def table_of_columns() -> list[str]:
    """The README's table of the leaderboard's columns: those of one meaning, and one unit, share a line.

    In CSV and JSON the columns of settings have their own names; others stand below the name of their list.
    """
    found: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for rows, columns in COLUMNS.items():
        if rows == Rows.RANKS:  # by many measures, which are no columns of their own in CSV or JSON
            continue
        for column in columns:
            heads, keys = found.setdefault((column.meaning, column.unit), ([], []))
            heads += [column.head] if column.head and column.head not in heads else []
            name = column.key if rows == Rows.SETTINGS else f"{rows}.{column.key}"
            keys += [f"`{name}`"] if column.exported else []
    lines = ["| column | csv, json | unit | meaning |", "| --- | --- | --- | --- |"]
    for (meaning, unit), (heads, keys) in found.items():
        lines.append(f"| {', '.join(heads)} | {', '.join(keys)} | {unit} | {markdown_text(meaning)} |")
    return lines


def test_the_table_of_columns_says_what_the_registry_says() -> None:
    (section,) = re.findall(r"^## What the columns mean\n(.*?)^## ", README, flags=re.MULTILINE | re.DOTALL)
    printed = [line for line in section.splitlines() if line.startswith("| ")]
    assert printed == table_of_columns()


def test_a_column_added_to_the_registry_is_asked_for_in_the_table_of_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Column("new_key", "new", "something | new", unit="s")
    monkeypatch.setitem(COLUMNS, Rows.SETTINGS, (*COLUMNS[Rows.SETTINGS], new))
    assert r"| new | `new_key` | s | something \| new |" in table_of_columns()


def test_the_files_that_contributors_are_sent_to_exist() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`((?:bench|instances|leaderboard|solvers|tests)/[\w/]*(?:\.py)?)`", guide)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert '.venv/bin/pip install -q -c constraints.txt -e ".[test]"' in guide


def test_the_tests_behind_the_promises_exist() -> None:
    (promises,) = re.findall(r"^## What is promised\n(.*?)^## ", README, flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"`(tests/[\w/]+(?:\.py)?)(?:::(\w+))?`", promises)
    assert len(named) > 10
    for path, test in named:
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text(), test
