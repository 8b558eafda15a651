"""A library that is generated on a cluster has the bytes of one that is generated here."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

import vnnbench.engines.cluster_pool as cluster_pool
from support.processes import marked_processes
from support.silent import Silent
from support.suites import SMALL_SUITE
from vnnbench.engines.cluster_options import ClusterOptions
from vnnbench.engines.cluster_pool import cluster_workers
from vnnbench.errors import ResultsError
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.generation.suite_work import GenerationOptions
from vnnbench.instances.suites.suite_toml import parse_suite

pytestmark = pytest.mark.alone

SUITE = parse_suite(SMALL_SUITE, "small")
LOCAL = ClusterOptions("local", workers_per_node=1)
OPTIONS = GenerationOptions(elsewhere=partial(cluster_workers, LOCAL, Silent().status))


def manifest(folder: Path) -> bytes:
    return (folder / "library.json").read_bytes()


def test_the_bytes_are_those_of_this_machine(tmp_path):
    generate(SUITE, tmp_path / "here")
    generate(SUITE, tmp_path / "there", OPTIONS)
    assert manifest(tmp_path / "there") == manifest(tmp_path / "here")
    assert not (tmp_path / "there" / ".generation").exists()


def test_the_command_takes_relative_paths(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL_SUITE)
    command = [
        *(sys.executable, "-m", "vnnbench", "generate", "small.toml", "--out", "there", "--engine", "parsl"),
        *("--engine-option", "workers_per_node=1"),
    ]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=240)
    generate(SUITE, tmp_path / "here")
    assert manifest(tmp_path / "there") == manifest(tmp_path / "here")


@pytest.fixture
def killer(mark):
    """A function that kills workers that have begun a step, so many times, in a thread of its own."""
    threads: list[threading.Thread] = []

    def kill(times: int) -> None:
        deadline, killed = time.monotonic() + 120, set[int]()
        while len(killed) < times and time.monotonic() < deadline:
            for process in marked_processes(mark):
                with suppress(psutil.Error):
                    works = "spawn_main" in str(process.cmdline()) and sum(process.cpu_times()[:2]) > 1  # imports torch
                    if works and process.pid not in killed:
                        process.kill()
                        killed.add(process.pid)
            time.sleep(0.05)

    def start(times: int) -> None:
        threads.append(threading.Thread(target=kill, args=(times,)))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


def test_a_step_is_given_to_another_worker_when_its_own_is_killed(tmp_path, killer):
    generate(SUITE, tmp_path / "here")
    killer(1)
    generate(SUITE, tmp_path / "there", OPTIONS)
    assert manifest(tmp_path / "there") == manifest(tmp_path / "here")


def test_a_step_that_loses_too_many_workers_ends_the_generation_in_one_line(tmp_path, killer, monkeypatch):
    monkeypatch.setattr(cluster_pool, "MAX_LOSSES", 1)
    killer(1)
    with pytest.raises(LibraryError, match=r"1 workers were lost at one step: each time its job ended too soon"):
        generate(SUITE, tmp_path / "there", OPTIONS)


def test_workers_with_other_packages_refuse(tmp_path, monkeypatch):
    monkeypatch.setattr("vnnbench.engines.environment.package_versions", lambda: {"torch": "0.1"})
    with pytest.raises(ResultsError, match=r"torch is .* here and 0\.1 where the work was planned"):
        generate(SUITE, tmp_path / "there", OPTIONS)
    assert not (tmp_path / "there" / "library.json").exists()
