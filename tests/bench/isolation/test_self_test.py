"""The self-test of isolation on this machine, and where it must fail."""

from __future__ import annotations

import pytest

from vnnbench.errors import ResultsError
from vnnbench.isolation.fork_client import Prepared
from vnnbench.isolation.fork_server import SUBREAPER
from vnnbench.isolation.self_test import enforcement_here


def test_it_says_how_runs_are_confined(enforcement, prepared, tmp_path):
    found = enforcement_here(prepared, tmp_path)
    if enforcement == SUBREAPER:
        assert found == SUBREAPER
    else:
        assert found in enforcement or found == SUBREAPER  # a machine may refuse namespaces


def test_a_solver_that_cannot_be_imported_is_one_line(tmp_path):
    prepared = Prepared("/nowhere/solver.toml", 1, tmp_path)
    try:
        with pytest.raises(ResultsError, match=r"a process for runs cannot be started here \(.+\)$"):
            enforcement_here(prepared, tmp_path)
    finally:
        prepared.close()
