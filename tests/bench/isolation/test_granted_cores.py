"""How many cores a job may use."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from vnnbench.isolation.granted_cores import granted_cores, is_confined, usable_cores

VARIABLES = ("SLURM_CPUS_ON_NODE", "NCPUS", "LSB_DJOB_NUMPROC")


@pytest.fixture(autouse=True)
def _outside_of_jobs(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize(("granted", "usable", "confined"), [("2", 2, False), ("4", 4, True), ("64", 4, True)])
def test_the_smaller_of_granted_and_own_cores_counts(monkeypatch, name, granted, usable, confined):
    monkeypatch.setenv(name, granted)
    assert granted_cores() == int(granted)
    assert (usable_cores(), is_confined()) == (usable, confined)


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize("text", ["", "many", "0", "-1", "²"])
def test_what_is_not_a_number_of_cores_grants_nothing(monkeypatch, text):
    monkeypatch.setenv("NCPUS", text)
    assert granted_cores() is None
    assert (usable_cores(), is_confined()) == (4, True)


def test_a_script_of_a_job_can_ask():
    command = [sys.executable, "-P", "-m", "vnnbench.isolation.granted_cores"]
    own = len(os.sched_getaffinity(0))
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{own}\n"
