"""What every worker process of a generation has: its start, and one data set in memory.

Workers hold BLAS to one thread and torch to two, so that neither --jobs nor thread variables show in the files.
"""

from __future__ import annotations

import os
import signal
import threading
from functools import lru_cache
from multiprocessing import connection, parent_process
from pathlib import Path

from instances.datasets import Dataset, load_dataset

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def start_worker() -> None:
    """Run first in every worker: Ctrl-C is the parent's business, the parent's death ends us, few threads."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # for libraries that are loaded later
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # `stack` then trains on two threads
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@lru_cache(maxsize=1)  # tasks come group by group
def dataset_in_memory(name: str, side: int, data_folder: Path | None) -> Dataset:
    """`load_dataset`, once for the tasks that follow each other."""
    return load_dataset(name, side, data_folder)
