"""What every worker process of a generation has: its start, and one data set in memory.

Workers hold BLAS to one thread, so that neither --jobs nor thread variables show in the files; training has as many as
`training_threads` says, which do not show either.
"""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from vnnbench.instances.datasets.dataset import Dataset, load_dataset
from vnnbench.instances.suites.suite import Group

MAX_TRAINING_THREADS = 4
"""More bring little to stacks of ten, and were not held against one for equal bytes."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def worker_pool(jobs: int) -> ProcessPoolExecutor:
    """Return a pool of `jobs` spawned worker processes, each of which starts when it is first needed."""
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=start_worker)


def start_worker() -> None:
    """Run first in every worker: Ctrl-C is the parent's business, the parent's death ends us, one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # for libraries that are loaded later
    # Turns that an OpenMP thread waits for work before it sleeps: at the default, threads that share a core with
    # another process wait for each other nearly all the time.
    os.environ["GOMP_SPINCOUNT"] = "5000"
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)


def training_threads(jobs: int) -> int:
    """Threads for the training in each of so many workers: the cores that it has to itself."""
    return max(1, min(len(os.sched_getaffinity(0)) // jobs, MAX_TRAINING_THREADS))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def group_dataset(group: Group, data_folder: Path | None) -> Dataset | None:
    """What a group's networks are trained on, loaded once for the tasks that follow each other; None: untrained."""
    if group.dataset is None or group.side is None:
        return None
    return _in_memory(group.dataset, group.side, data_folder)


@lru_cache(maxsize=1)  # tasks come group by group
def _in_memory(name: str, side: int, data_folder: Path | None) -> Dataset:
    return load_dataset(name, side, data_folder)
