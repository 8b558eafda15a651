"""The worker, the process in which the solver of one run works. It is a fork of a prepared process (`fork_server`), or,
where that has threads, a new interpreter: `python -m vnnbench.isolation.worker CHANNEL_FD SOLVER`.

It sends READY, waits for the REQUEST, solves and streams, and ends. Any byte that arrives after the request is a
request to stop.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from vnnbench.isolation.protocol import MAX_TRACEBACK, FrameReader, Kind, send
from vnnbench.references.adapters import get_adapter
from vnnbench.solvers.base import Incumbent, Solver, SolveRequest, SolveResult

LINGER_SECONDS = 1.0


class ChannelListener:
    """A listener that streams what the solver reports into the channel."""

    def __init__(self, channel: socket.socket, stopped: bool = False) -> None:
        self._channel = channel
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN | select.POLLHUP)
        self._stopped = stopped

    def on_columns(self, names: Sequence[str]) -> None:
        send(self._channel, Kind.COLUMNS, names=names)

    def on_incumbent(self, incumbent: Incumbent) -> None:
        objective = type(incumbent.columns)("d", [incumbent.objective])
        send(self._channel, Kind.INCUMBENT, floats=objective.tobytes() + incumbent.columns.tobytes())

    def on_dual_bound(self, dual_bound: float) -> None:
        send(self._channel, Kind.DUAL_BOUND, {"dual_bound": dual_bound})

    def should_stop(self) -> bool:
        self._stopped = self._stopped or bool(self._poll.poll(0))
        return self._stopped


def main() -> None:
    """Serve the channel with the solver; the command-line arguments give the channel's descriptor and the solver."""
    solver = get_adapter(sys.argv[2])
    solver.version()  # imports the vendor package, so that no import is timed
    serve(socket.socket(fileno=int(sys.argv[1])), solver)


def serve(channel: socket.socket, solver: Solver) -> None:
    """Run the one request that comes through the channel, in the folder of its log file."""
    send(channel, Kind.READY)
    request, stopped = _receive_request(channel)
    # Files that solvers write into the current or the temporary folder count as output and are removed with the run.
    os.chdir(request.log_path.parent)
    os.environ["TMPDIR"] = tempfile.tempdir = str(request.log_path.parent)
    try:
        result = solver.solve(request, ChannelListener(channel, stopped))
    except Exception as error:  # whatever the adapter raises belongs in the log
        out_of_memory = isinstance(error, MemoryError)
        text = traceback.format_exc()[-MAX_TRACEBACK:]
        send(channel, Kind.FAILED, {"traceback": text, "out_of_memory": out_of_memory})
    else:
        _send_result(channel, result)
    _linger(channel)


def _linger(channel: socket.socket) -> None:
    """Wait until the harness has measured what this process has used and closes its end, or LINGER_SECONDS are over."""
    channel.settimeout(LINGER_SECONDS)
    with contextlib.suppress(OSError):
        while channel.recv(1 << 8):
            pass


def _receive_request(channel: socket.socket) -> tuple[SolveRequest, bool]:
    """Return the request, and whether a request to stop came with it."""
    reader = FrameReader()
    while True:
        data = channel.recv(1 << 16)
        if not data:
            raise SystemExit("the harness closed the channel before a request")
        for frame in reader.feed(data):
            fields = frame.header
            request = SolveRequest(
                model_path=Path(fields["model_path"]),
                log_path=Path(fields["log_path"]),
                time_limit_seconds=fields["time_limit_seconds"],
                threads=fields["threads"],
                seed=fields["seed"],
                mip_gap=fields["mip_gap"],
                node_limit=fields["node_limit"],
                options=fields["options"],
            )
            return request, reader.pending


def _send_result(channel: socket.socket, result: SolveResult) -> None:
    header = {
        "termination": result.termination.value,
        "raw_status": result.raw_status[:MAX_TRACEBACK],
        "primal_bound": result.primal_bound,
        "dual_bound": result.dual_bound,
        "nodes": result.nodes,
        "read_seconds": result.read_seconds,
        "message": result.message[:MAX_TRACEBACK],
    }
    send(channel, Kind.RESULT, header, b"" if result.columns is None else result.columns.tobytes())


if __name__ == "__main__":
    main()
