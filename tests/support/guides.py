"""The README and the guides of the folders, as tests read them: their code blocks, commands, tables and links."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from vnnbench.leaderboard.ranking.column_form import Rows
from vnnbench.leaderboard.ranking.columns import COLUMNS
from vnnbench.leaderboard.text import markdown_text

ROOT = Path(__file__).parents[2]
README, CONTRIBUTING = "README.md", "CONTRIBUTING.md"
INSTANCES, SOLVERS, BENCH, LEADERBOARD, TESTS = (
    f"{folder}/README.md" for folder in ("instances", "solvers", "bench", "leaderboard", "tests")
)
GUIDES = (README, INSTANCES, SOLVERS, BENCH, LEADERBOARD, TESTS)
"""What a reader is sent to, relative to the repository."""
EXECUTABLES = Path(sys.executable).parent
"""The folder of `vnnbench`."""


def read_guide(path: str) -> str:
    """Return the text of a guide by its path in the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(guide: str, language: str) -> list[str]:
    """Return the bodies of the code blocks in this language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", guide, flags=re.MULTILINE | re.DOTALL)


def section(guide: str, title: str) -> str:
    """Return what stands between the heading `## title` and the next heading of its level or the end."""
    (body,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", guide, flags=re.MULTILINE | re.DOTALL)
    return str(body)


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of every table row in the text, without heads and rules; backticks are left out."""
    rows: list[list[str]] = []
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        for line in table.splitlines()[2:]:
            rows.append([cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def commands(block: str) -> list[str]:
    """Return what follows a `$ ` prompt, in order; a line that ends in a backslash continues in the next one."""
    lines = block.replace("\\\n", "").splitlines()
    return [line[2:] for line in lines if line.startswith("$ ")]


def script_commands(block: str) -> list[str]:
    """Return the `vnnbench` commands of a block without prompts; a line that ends in a backslash continues."""
    return [line for line in block.replace("\\\n", "").splitlines() if line.startswith("vnnbench ")]


def _execute(command: str, folder: Path, *more: str, merged: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a printed command with further arguments in the folder; it must end with exit code 0.

    merged: stderr is a part of stdout, in the order of printing.
    """
    done = subprocess.run(
        [*shlex.split(command), *more],
        cwd=folder,
        env={**os.environ, "PATH": f"{EXECUTABLES}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} {more}\n{done.stdout}\n{done.stderr}"
    return done


def run_as_printed(block: str, folder: Path) -> None:
    """Run every command of a session in the folder; each must end with exit code 0 and without a traceback.

    Lines of the session without a digit, such as heads and legends of tables, must be among those that it prints:
    numbers differ from machine to machine, and with them the width of the rule below a head.
    """
    for part in block.replace("\\\n", "").split("$ ")[1:]:
        command, *printed = part.splitlines()
        done = _execute(command, folder)
        assert "Traceback" not in done.stderr
        said = {"", "…", *done.stdout.splitlines(), *done.stderr.splitlines()}
        assert [line for line in printed if line not in said and not re.search(r"\d|^─+$", line)] == [], command


def run_vnnbench(command: str, folder: Path, *more: str) -> None:
    """Run a printed command with further arguments in a folder; it must succeed."""
    _execute(command, folder, *more)


def prints_as_printed(block: str, folder: Path) -> None:
    """Run every command of a session and compare what it prints, on both streams, line by line with the session.

    What depends on other work on the machine is left out: a warning that cores are short, and disturbed runs.
    """
    for part in block.split("$ ")[1:]:
        command, *printed = part.splitlines()
        output = _execute(command, folder, merged=True).stdout
        busy = r"^warning: .* cores?\b.*\n|, \d+ disturbed$|^\d+ runs? (was|were) disturbed .*\n"
        assert re.sub(busy, "", output, flags=re.MULTILINE).splitlines() == printed


def table_of_columns() -> list[str]:
    """Return the guide's table of the leaderboard's columns: those of one meaning and one unit share a line.

    In CSV and JSON the columns of settings have their own names; others stand below the name of their list.
    """
    found: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for rows, columns in COLUMNS.items():
        if rows == Rows.RANKS:  # by many measures, which are not columns of their own in CSV or JSON
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
