"""Work on several cores at once: tasks in forked processes, which share the memory and send back a result.

It is for the few computations that take seconds on a ledger of a million runs. A fork does not copy other threads, so
their locks might stay locked in it. If this process has other threads, or is itself such a fork, the tasks run one
after the other.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from typing import TypeVar

Result = TypeVar("Result")


MANY_RUNS = 50_000
"""The number of runs from which parallel work pays: with fewer, dividing a leaderboard takes as long as making it."""


def cores() -> int:
    """Return how many processes can work at once: the cores of this one, or 1 if it must not fork."""
    alone = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    return len(os.sched_getaffinity(0)) if alone else 1


def at_once(tasks: Sequence[Callable[[], Result]], worthwhile: bool) -> list[Result]:
    """Return the results of the tasks, in their order.

    If it is worthwhile and possible, the first task runs here and each other one in a process of its own; else they run
    one after the other. An error of a task is raised here, of several the first; then, and when this process is
    interrupted, the other processes are ended. Raises `RuntimeError`: a process was killed.
    """
    if not worthwhile or cores() == 1:
        return [task() for task in tasks]
    context = multiprocessing.get_context("fork")
    ours: list[Connection] = []
    processes = []
    try:
        for task in tasks[1:]:
            receiving, sending = context.Pipe(duplex=False)
            ours.append(receiving)
            with closing(sending):
                processes.append(context.Process(target=_work, args=(task, sending), daemon=True))
                processes[-1].start()
        return [tasks[0](), *(_received(connection) for connection in ours)]
    finally:
        for process in processes:
            process.kill()
            process.join()
        for connection in ours:
            connection.close()


def _work(task: Callable[[], Result], sending: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this process
    try:
        found: tuple[Result | None, Exception | None] = (task(), None)
    except Exception as error:  # raised by the process that waits for the result
        found = (None, error)
    sending.send(found)


def _received(connection: Connection) -> Result:  # type: ignore[type-var]
    try:
        result, error = connection.recv()
    except EOFError:
        raise RuntimeError("a worker process was killed, possibly out of memory") from None
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


SHARED = {
    "problem": "problem",
    "property_sha256": "property",
    "network": "network",
    "dense_network": "network",
    "network_sha256": "content",
    "dense_sha256": "content",
}
"""Columns of table `instances`, by the kind of thing that they name: two instances that name the same are connected."""


def divide(instances: Mapping[str, Sequence[object]], runs: Mapping[str, int], n_parts: int) -> list[list[str]]:
    """Divide all instances into at most `n_parts` lists of hashes with about as many runs each.

    Connected instances stay together. instances: columns `instance_sha256` and `SHARED` of table `instances`. runs: the
    number of runs of each instance.
    """
    digests = [str(digest) for digest in instances["instance_sha256"]]
    together: dict[int, list[str]] = {}
    for digest, root in zip(digests, _roots(instances, len(digests)), strict=True):
        together.setdefault(root, []).append(digest)
    sizes = {root: sum(runs.get(digest, 0) for digest in own) for root, own in together.items()}
    parts: list[list[str]] = [[] for _ in range(n_parts)]
    loads = [0] * n_parts
    for root in sorted(together, key=lambda root: -sizes[root]):
        least = loads.index(min(loads))
        parts[least] += together[root]
        loads[least] += sizes[root]
    return [part for part in parts if part]


def _roots(instances: Mapping[str, Sequence[object]], n_instances: int) -> list[int]:
    """Return a number for each instance that is equal for all instances connected with it (union-find)."""
    parents = list(range(n_instances))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = place = parents[parents[place]]
        return place

    first: dict[tuple[str, object], int] = {}
    for name, kind in SHARED.items():
        for place, value in enumerate(instances[name]):
            if value is not None:
                parents[root(place)] = root(first.setdefault((kind, value), place))
    return [root(place) for place in range(n_instances)]
