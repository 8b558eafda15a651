"""Work on several cores at once: tasks in forked processes, which have all that is in memory and send back a result.

For the few things that take seconds on a ledger of a million runs. A fork copies no threads, so their locks might stay
held in it: where this process has others, the tasks are done one after the other; and so they are in a fork.
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
"""A leaderboard of fewer takes as long to divide as to make."""


def cores() -> int:
    """How many processes can work at once: the cores of this one, or 1 where it must not fork."""
    alone = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    return len(os.sched_getaffinity(0)) if alone else 1


def at_once(tasks: Sequence[Callable[[], Result]], worthwhile: bool) -> list[Result]:
    """What the tasks return, in their order. Where it is worthwhile and possible the first is done here, each other one
    in a process of its own; else one after the other.

    What a task raises is raised here, of several the first one's; then, and when this process is interrupted, the other
    processes are ended. Raises `RuntimeError`: a process was killed.
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it is interrupted too, and ends it
    try:
        found: tuple[Result | None, Exception | None] = (task(), None)
    except Exception as error:  # raised where the result is waited for
        found = (None, error)
    sending.send(found)


def _received(connection: Connection) -> Result:  # type: ignore[type-var]
    try:
        result, error = connection.recv()
    except EOFError:
        raise RuntimeError("a process that worked for this one was killed, possibly out of memory") from None
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
"""Columns of table `instances`, by what they name: two instances that name the same hang together."""


def divide(instances: Mapping[str, Sequence[object]], runs: Mapping[str, int], n_parts: int) -> list[list[str]]:
    """At most `n_parts` lists of instances, by hash, with about as many runs each; together all of them.

    instances: columns `instance_sha256` and `SHARED` of table `instances`. runs: how many an instance has.
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
    """For each instance the same number as for all that hang together with it (union-find)."""
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
