"""Fixtures that several packages' tests share: one tiny library, generated and run once per session."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli import run_command

TINY_SUITE = """
name = "tiny"
description = "two networks on digits"
dataset = "digits"
input_sides = [8]
architectures = ["2x8"]
seeds = [0, 1]
formulations = ["tight", "surrogatelib"]

[training]
epochs = 40

[property]
norm = "l1"
radius = [1.0, 4.0]

[[pruning]]
method = "magnitude"
structure = "unstructured"
rates = [0.5]
"""


@pytest.fixture(scope="session")
def tiny_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite file of eight instances."""
    path = tmp_path_factory.mktemp("suite") / "tiny.toml"
    path.write_text(TINY_SUITE)
    return path


@pytest.fixture(scope="session")
def tiny_library(tiny_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of `tiny_suite`. Copy it before changing anything."""
    folder = tmp_path_factory.mktemp("tiny") / "library"
    assert run_command(["generate", str(tiny_suite), "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def tiny_results(tiny_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HiGHS's runs on `tiny_library`. Copy them before changing anything."""
    folder = tmp_path_factory.mktemp("results") / "results"
    command = ["run", str(tiny_library), "--results", str(folder), "--solver", "highs", "--time-limit", "30"]
    assert run_command(command) == 0
    return folder
