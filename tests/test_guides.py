"""The README and the guides tell the truth: what they print runs, and their tables say what the code says."""

from __future__ import annotations

import ast
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from types import ModuleType

import pytest

from support.guides import (
    BENCH,
    CONTRIBUTING,
    GUIDES,
    INSTANCES,
    LEADERBOARD,
    README,
    ROOT,
    TESTS,
    blocks,
    commands,
    prints_as_printed,
    read_guide,
    run_as_printed,
    run_vnnbench,
    script_commands,
    section,
    table_of_columns,
    table_rows,
)
from vnnbench.cli import cli
from vnnbench.instances.bounds.levels import BoundLevel
from vnnbench.instances.library.catalog import CATALOG_COLUMNS
from vnnbench.instances.library.proven_answers import ANSWER_COLUMNS, ProvenAnswer
from vnnbench.instances.onnx_files.endings import ENDS
from vnnbench.instances.onnx_files.operators import SUPPORTED
from vnnbench.instances.suites import network_suite_toml, suite_toml, train_suite_toml
from vnnbench.instances.suites.suite_toml import builtin_suites, load_suite, parse_suite
from vnnbench.leaderboard.ranking.column_form import Column, Rows
from vnnbench.leaderboard.ranking.columns import COLUMNS
from vnnbench.leaderboard.records.schema import SCHEMA
from vnnbench.leaderboard.words import EndedBy, Evidence, Fault, Verdict
from vnnbench.solvers.base import Termination

TEXTS = (*GUIDES, CONTRIBUTING)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the README's session, with `library` and `results`; the guides' sessions continue there."""
    place = tmp_path_factory.mktemp("guides")
    session = blocks(read_guide(README), "console")[0]
    assert len(commands(session)) >= 6
    run_as_printed(session, place)
    return place


# What is printed runs.


def test_ci_runs_the_readme_test_command() -> None:
    (set_up_and_quickstart, set_up_and_tests) = blocks(read_guide(README), "sh")[0].splitlines()
    assert "vnnbench quickstart" in set_up_and_quickstart
    assert set_up_and_tests in (ROOT / ".ci" / "run").read_text().splitlines()
    assert blocks(read_guide(TESTS), "sh")[0].strip() in set_up_and_tests
    assert set_up_and_tests.split(" && ")[1] in read_guide(CONTRIBUTING)
    (place,) = re.findall(r"-m alone (\S+)$", set_up_and_tests)
    tests = {path for path in (ROOT / "tests").rglob("test_*.py") if "mark.alone" in path.read_text()}
    assert tests - {Path(__file__)} <= {*(ROOT / place).rglob("test_*.py")}


def test_the_python_example_finds_what_the_session_ran(folder: Path) -> None:
    (example,) = blocks(read_guide(README), "python")
    done = subprocess.run([sys.executable, "-c", example], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "adversarial" in done.stdout and re.search(r"^True -?\d+/\d+$", done.stdout, flags=re.MULTILINE)


def test_a_solution_written_by_gurobi_is_judged_as_printed(folder: Path) -> None:
    (example,) = blocks(read_guide(BENCH), "python")
    subprocess.run([sys.executable, "-c", example], cwd=folder, capture_output=True, check=True)
    (command,) = re.findall(r"# then: (vnnbench judge .*)$", example, flags=re.MULTILINE)
    run_vnnbench(command, folder)


def test_a_network_of_torch_is_exported_and_imported_as_printed(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript, which torch's default exporter needs, is not installed")
    (export,) = blocks(read_guide(INSTANCES), "python")
    (question,) = [block for block in blocks(read_guide(INSTANCES), "text") if block.startswith("(declare-const")]
    subprocess.run([sys.executable, "-c", export], cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "mine.vnnlib").write_text(question)
    (command,) = re.findall(r"`(vnnbench import own .*?)`", read_guide(INSTANCES))
    run_vnnbench(command, tmp_path)
    assert (tmp_path / "own" / "models" / "mine-mine--tight.mps.gz").is_file()


@pytest.mark.parametrize(("guide", "made"), [(BENCH, "theirs.zip"), (LEADERBOARD, "chosen")])
def test_sessions_that_continue_the_readme_run_as_printed(guide: str, made: str, folder: Path) -> None:
    for session in blocks(read_guide(guide), "console"):
        run_as_printed(session, folder)
    assert (folder / made).is_file()


def test_the_import_prints_what_the_guide_prints(tmp_path: Path, competition: Path) -> None:
    for path in competition.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (block,) = [block for block in blocks(read_guide(INSTANCES), "text") if block.startswith("$ vnnbench import")]
    prints_as_printed(block, tmp_path)


def test_the_suites_that_the_guide_prints_are_read_and_generated(tmp_path: Path) -> None:
    mine, closest, spr, largest, train = blocks(read_guide(INSTANCES), "toml")
    (command,) = re.findall(r"`(vnnbench generate mine\.toml .*?)`", read_guide(INSTANCES))
    (tmp_path / "mine.toml").write_text(mine)
    run_vnnbench(command, tmp_path)
    assert parse_suite(mine, "mine").n_instances == 12
    tight = mine.replace('["tight", "surrogatelib"]', '["tight"]')
    asked = re.sub(r"^\[property\]\n(.+\n)+", closest, tight, flags=re.MULTILINE)
    assert parse_suite(asked, "closest").questions[0].margin == 0.01
    pruned = re.sub(r"^\[\[pruning\]\]\n(.+\n)+", spr, mine, flags=re.MULTILINE)
    assert parse_suite(pruned, "spr").spr is not None
    assert parse_suite(largest, "largest").n_instances == 4
    assert parse_suite(train, "train").n_instances == 8


def inline_commands(guide: str) -> list[str]:
    """Every `vnnbench ...` in code within the guide's sentences and tables."""
    text = re.sub(r"^```.*?^```$", "", read_guide(guide), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(found.split()) for found in re.findall(r"`(vnnbench [^`]+)`", text)]


@pytest.mark.parametrize("guide", TEXTS)
def test_commands_in_sentences_and_tables_name_options_that_exist(guide: str) -> None:
    printed = [command for block in blocks(read_guide(guide), "(?:sh|console)") for command in block.splitlines()]
    for command in (*inline_commands(guide), *script_commands("\n".join(printed))):
        _, name, *arguments = shlex.split(command)
        assert name in cli.commands, command
        known = {option for parameter in cli.commands[name].params for option in parameter.opts} | {"--help"}
        assert {word for word in arguments if word.startswith("--")} <= known, command


# The tables say what the code says.


def test_the_table_of_suites_counts_what_the_suites_make() -> None:
    printed = {
        row[0]: row[2:] for row in table_rows(section(read_guide(INSTANCES), "Built-in suites")) if len(row) == 4
    }
    suites = {name: load_suite(name) for name in builtin_suites()}
    assert printed == {name: [str(suite.n_problems), str(suite.n_instances)] for name, suite in suites.items()}


@pytest.mark.parametrize(
    ("heading", "reader"),
    [("A grid of your own", network_suite_toml), ("Training problems of your own", train_suite_toml)],
)
def test_the_table_of_keys_has_every_key_that_a_suite_may_have(heading: str, reader: ModuleType) -> None:
    rows = [row for row in table_rows(section(read_guide(INSTANCES), heading)) if len(row) == 4]
    tables = {table.strip("[]") for table, *_ in rows} - {""}
    assert {key for _, key, *_ in rows} | tables == keys_read(suite_toml) | keys_read(reader)


def keys_read(module: ModuleType) -> set[str]:
    """Return the keys that a module takes from TOML tables."""
    assert module.__file__ is not None
    return {
        call.args[0].value
        for call in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"take", "table", "tables", "table_or_tables"}
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def test_the_table_of_operators_has_every_one_that_is_read() -> None:
    cells = [row[1] for row in table_rows(section(read_guide(INSTANCES), "Importing a network"))]
    assert sorted(re.findall(r"[A-Z]\w+", " ".join(cells))) == sorted((*SUPPORTED, *ENDS))


def test_the_table_of_bounds_has_every_level_in_order() -> None:
    assert [row[0] for row in table_rows(section(read_guide(INSTANCES), "Bounds"))] == [*BoundLevel]


def test_the_table_of_the_catalogue_has_every_column_in_order() -> None:
    rows = [row for row in table_rows(section(read_guide(INSTANCES), "A library on disk")) if "/" not in row[0]]
    named = [name for row in rows for name in row[0].split(", ") if "." not in name]
    assert sorted(named) == sorted(CATALOG_COLUMNS)


def test_the_table_of_answers_has_every_column_in_order() -> None:
    rows = table_rows(section(read_guide(INSTANCES), "Proven answers"))
    assert tuple(name for row in rows for name in row[0].split(", ")) == ANSWER_COLUMNS
    (meaning,) = [row[1] for row in rows if row[0] == "answer"]
    assert re.findall(r"(?:^|\. )(\w+):", meaning) == [*ProvenAnswer]


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("termination", Termination),
        ("ended_by", EndedBy),
        ("verdict", Verdict),
        ("evidence", Evidence),
        ("fault", Fault),
    ],
)
def test_the_table_of_words_has_every_value_of_a_word(word: str, values: type[StrEnum]) -> None:
    (meaning,) = re.findall(rf"^\| {word} \| (.*) \|$", section(read_guide(BENCH), "Words"), flags=re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", meaning)) == {value.value for value in values}


def test_the_table_of_fields_has_every_field_of_a_result() -> None:
    rows = table_rows(section(read_guide(BENCH), "Fields of a result"))
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        names = [name for _, name, *_ in connection.execute("PRAGMA table_info(runs)")]
    assert sorted(name for row in rows for name in row[0].split(", ")) == sorted(names)


def test_the_table_of_columns_says_what_the_registry_says() -> None:
    printed = section(read_guide(LEADERBOARD), "What the columns mean").splitlines()
    assert [line for line in printed if line.startswith("| ")] == table_of_columns()


def test_a_column_added_to_the_registry_is_asked_for_in_the_table_of_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Column("new_key", "new", "something | new", unit="s")
    monkeypatch.setitem(COLUMNS, Rows.SETTINGS, (*COLUMNS[Rows.SETTINGS], new))
    assert r"| new | `new_key` | s | something \| new |" in table_of_columns()


def test_the_tests_behind_the_promises_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+(?:\.py)?)(?:::(\w+))?`", section(read_guide(BENCH), "What is promised"))
    assert len(named) > 10
    for path, test in named:
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text(), test


# The texts lead somewhere.


def test_the_readme_is_short() -> None:
    assert len(read_guide(README).splitlines()) <= 250


def slug(heading: str) -> str:
    """The anchor that a forge gives to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("guide", TEXTS)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(guide: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", read_guide(guide))
    for path, _, anchor in (link.partition("#") for link in links if "://" not in link):
        target = (ROOT / guide).parent / path if path else ROOT / guide
        assert target.exists(), path
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE) if anchor else ()
        assert not anchor or anchor in {slug(heading) for heading in headings}, f"{path}#{anchor}"


@pytest.mark.parametrize("guide", TEXTS)
def test_every_file_of_the_repository_that_a_text_names_exists(guide: str) -> None:
    named = re.findall(r"\b((?:bench|instances|leaderboard|solvers|tests)/[\w/]+(?:\.\w+)?)", read_guide(guide))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_benchmark_is_named_with_its_figures() -> None:
    named = {path for guide in TEXTS for path in re.findall(r"tests/performance/\w+\.py", read_guide(guide))}
    assert named == {f"tests/performance/{path.name}" for path in (ROOT / "tests" / "performance").glob("*.py")}
