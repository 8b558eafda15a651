"""The README tells the truth: its commands run as printed, and its set-up is what CI does."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The bodies of the code blocks in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def session_commands() -> list[str]:
    """Every line after a `$ ` prompt, in order."""
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]


def test_ci_runs_the_readme_test_command() -> None:
    (set_up_and_quickstart, set_up_and_tests) = [line for block in blocks("sh") for line in block.splitlines()][:2]
    assert "vnnbench quickstart" in set_up_and_quickstart
    assert set_up_and_tests in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_session_runs_as_printed(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    commands = session_commands()
    assert len(commands) >= 6
    for command in commands:
        done = subprocess.run(
            shlex.split(command),
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


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
        assert done.stdout.splitlines() == printed


def test_the_benchmarks_it_names_exist() -> None:
    named = set(re.findall(r"tests/performance/\w+\.py", README))
    assert named == {f"tests/performance/{path.name}" for path in (ROOT / "tests" / "performance").glob("*.py")}
