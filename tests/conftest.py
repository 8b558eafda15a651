"""Fixtures that several packages' tests share: one tiny library, generated and run once per session, workers of
`generate` in this process, and programs that lack the rights of root."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from support.suites import TINY_SUITE
from vnnbench.cli import run_command
from vnnbench.instances.generation import workers

LONGEST = (
    "test_guides.py", "test_long_jobs.py", "test_guide.py", "test_killing.py", "test_hostile.py",
    "test_poisoned_ledgers.py", "test_import.py", "test_generate.py", "test_conformance.py", "test_fork_server.py",
    "test_digits_goals.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest modules first: a worker takes one at a time, and none should wait for another in the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_collection_finish() -> None:
    """Exclude what thousands of collected tests hold from garbage collection, which would look at it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_works() -> None:
    """Let Ctrl-C work in children: they must not inherit an ignored SIGINT, as of tests started in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class _WorkerThread(ThreadPoolExecutor):
    """The pool of `generate` in tests: it runs the tasks one after the other in one thread, which imports nothing anew.

    It computes as a worker process does, with one thread for each product of matrices.
    """

    def __init__(self, _jobs: int) -> None:
        super().__init__(max_workers=1)
        self._limits = threadpool_limits(limits=1)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._limits.restore_original_limits()


_REAL_POOL, _REAL_THREADS = workers.worker_pool, workers.training_threads


def _replace_worker_pool(
    patch: pytest.MonkeyPatch, pool: Callable[[int], Executor], threads: Callable[[int], int]
) -> None:
    patch.setattr("vnnbench.instances.generation.workers.worker_pool", pool)
    patch.setattr("vnnbench.instances.generation.network_work.training_threads", threads)


@pytest.fixture(scope="session", autouse=True)
def _workers_in_this_process() -> Iterator[None]:
    """Let `generate` and `prove` start no processes, which would import much, except in tests that use
    `worker_processes`."""
    with pytest.MonkeyPatch.context() as patch:
        _replace_worker_pool(patch, _WorkerThread, lambda _jobs: 1)
        yield


@pytest.fixture
def worker_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `generate` and `prove` start worker processes, as outside of tests."""
    _replace_worker_pool(monkeypatch, _REAL_POOL, _REAL_THREADS)


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


@pytest.fixture(scope="session")
def drop_capabilities() -> Callable[[], None]:
    """A function for the start of a program that takes the capabilities of root away, so that permissions count."""

    def drop() -> None:
        for capability in range(64):
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP

    return drop


@pytest.fixture(scope="session")
def competition() -> Path:
    """The folder of the four problems of VNN-COMP; skipped by name where it is absent."""
    folder = os.environ.get("VNNBENCH_TEST_DATA")
    if folder is None or not Path(folder, "vnncomp_mnist_fc").is_dir():
        pytest.skip("needs VNNBENCH_TEST_DATA with vnncomp_mnist_fc")
    return Path(folder, "vnncomp_mnist_fc")
