"""A small library, small results, and command lines that are watched; `support.fuzzing` says what fuzzing is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.fuzzing import bounded
from support.small_files import SMALL_ONNX, SMALL_VNNLIB
from vnnbench.cli import run_command


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., int]:
    """A function that runs a command line, which may fail only in one line without a traceback."""

    def run(*arguments: str | Path) -> int:
        capsys.readouterr()
        with bounded():
            code = run_command([str(argument) for argument in arguments])
        errors = capsys.readouterr().err
        assert code in (0, 1, 2)
        assert "Traceback" not in errors
        if code == 2:
            assert [line for line in errors.splitlines() if line.startswith("Error: ")] == errors.splitlines()[-1:]
        return code

    return run


@pytest.fixture(scope="session")
def small_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of one instance, made by `import`. Copy it before changing anything."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "n.onnx").write_bytes(SMALL_ONNX)
    (folder / "p.vnnlib").write_text(SMALL_VNNLIB)
    files = ["--onnx", str(folder / "n.onnx"), "--vnnlib", str(folder / "p.vnnlib")]
    assert run_command(["import", str(folder / "library"), *files]) == 0
    return folder / "library"


@pytest.fixture(scope="session")
def small_results(tmp_path_factory: pytest.TempPathFactory, small_library: Path) -> Path:
    """Two runs of HiGHS on `small_library`. Copy them before changing anything."""
    folder = tmp_path_factory.mktemp("results") / "results"
    command = ["run", str(small_library), "--results", str(folder), "--solver", "highs", "--seeds", "0,1"]
    assert run_command([*command, "--goal", "optimize"]) == 0
    return folder
