"""The worker processes of a generation: their start, their threads, and one data set in memory.

Workers limit BLAS to one thread, so that the files depend neither on --jobs nor on environment variables for threads.
Training has `training_threads` threads, on which the files do not depend either.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import active_children, connection, get_context, parent_process
from pathlib import Path
from typing import Any

from vnnbench.instances.datasets.dataset import Dataset, load_dataset
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.suites.network_suite import Group

MAX_TRAINING_THREADS = 4
"""The most threads of a training. More threads help little for stacks of ten, and equal bytes were not checked for
them."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def worker_pool(jobs: int) -> ProcessPoolExecutor:
    """Return a pool of `jobs` spawned worker processes, each of which starts when it is first needed."""
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=start_worker)


Submit = Callable[..., Future[Any]]
"""What submits work, a function and its arguments, to workers."""


@contextmanager
def workers(jobs: int) -> Iterator[Submit]:
    """Yield a function that submits work to a pool of `jobs` processes, also if `jobs` is 1, so that bytes are equal.

    Any error, Ctrl-C included, ends the workers at once: their files are written whole or not at all.
    """
    others = set(active_children())
    pool = worker_pool(jobs)
    try:
        yield pool.submit
    except BaseException as error:
        for worker in set(active_children()) - others:
            worker.kill()
        if isinstance(error, BrokenProcessPool):
            raise LibraryError(
                "a worker process died, possibly out of memory; run the same command again with fewer --jobs"
            ) from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def start_worker() -> None:
    """Prepare a worker: ignore Ctrl-C, which the parent handles, end with the parent, and use one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # for libraries that are loaded later
    # How long an OpenMP thread spins before it sleeps: at the default, threads that share a core with another process
    # spend nearly all their time waiting for each other.
    os.environ["GOMP_SPINCOUNT"] = "5000"
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)


def training_threads(jobs: int) -> int:
    """Return the number of threads for the training in each of `jobs` workers: its share of the cores."""
    return max(1, min(len(os.sched_getaffinity(0)) // jobs, MAX_TRAINING_THREADS))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def group_dataset(group: Group, data_folder: Path | None) -> Dataset | None:
    """Return the data set of a group, loaded once for consecutive tasks; None for untrained networks."""
    if group.dataset is None or group.side is None:
        return None
    return _in_memory(group.dataset, group.side, data_folder)


@lru_cache(maxsize=1)  # tasks are ordered by group
def _in_memory(name: str, side: int, data_folder: Path | None) -> Dataset:
    return load_dataset(name, side, data_folder)
