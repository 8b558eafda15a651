"""The self-test of isolation: can this machine confine the processes of a run, and end them?"""

from __future__ import annotations

import socket
import tempfile
import time
from contextlib import closing
from pathlib import Path

from vnnbench.errors import ResultsError
from vnnbench.isolation.fork_client import Prepared
from vnnbench.isolation.fork_server import Order
from vnnbench.isolation.supervisor import START_SECONDS
from vnnbench.leaderboard.words import Enforcement

_ENDING_SECONDS = 30.0
_BYTES = 1 << 30


def enforcement_here(prepared: Prepared, folder: Path) -> Enforcement:
    """Fork a worker that is given nothing to do, end it, and return how it was confined. It prints to a file in
    `folder`. Raises `ResultsError` when it cannot be started or ended."""
    ours, theirs = socket.socketpair()
    order = Order(prepared.solver, cores=(), data_bytes=_BYTES, file_bytes=_BYTES, shared_bytes=_BYTES)
    with ours, tempfile.TemporaryFile(dir=folder) as output:
        with theirs:
            confined = prepared.fork(order, theirs, output)
        with closing(confined):
            deadline = time.monotonic() + START_SECONDS
            while confined.init is None and not confined.exited and time.monotonic() < deadline:
                confined.look(0.1)
            if confined.init is None:
                said = prepared.last_words().strip().splitlines() or ["no message"]
                raise ResultsError(f"{prepared.solver}: a process for runs cannot be started here ({said[-1]})")
            if not confined.end(_ENDING_SECONDS):
                raise ResultsError(f"{prepared.solver}: the processes of a run cannot be ended here")
            return confined.enforcement
