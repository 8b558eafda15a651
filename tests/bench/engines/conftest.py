"""SLURM for the tests of engines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.slurm import missing, slurm


@pytest.fixture(scope="module")
def slurm_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment in which commands find a SLURM of two nodes, which ends with the module's tests."""
    folder = tmp_path_factory.mktemp("slurm")
    required = os.environ.get("VNNBENCH_TEST_SLURM") == "required"
    if (why := missing()) is not None:
        assert not required, why
        pytest.skip(why)
    yield from _started(folder, required)


def _started(folder: Path, required: bool) -> Iterator[Mapping[str, str]]:
    try:
        with slurm(folder) as environment:
            yield environment
    except (RuntimeError, OSError) as error:
        if required:
            raise
        pytest.skip(f"SLURM cannot be started here: {error}")


@pytest.fixture
def use_slurm(slurm_environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands of SLURM, in this process and its children, talk to that SLURM."""
    monkeypatch.setenv("SLURM_CONF", slurm_environment["SLURM_CONF"])
