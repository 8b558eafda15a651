"""The child: one process, one run. Started by `bench.process` as `python -m bench.worker CHANNEL_FD PARENT_PID SOLVER`.

Imports the solver, says READY, waits for the REQUEST, solves, streams, and ends. Any byte that arrives after the
request means: stop.
"""

from __future__ import annotations

import select
import socket
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from bench.protocol import FrameReader, Kind, send
from solvers.base import Incumbent, SolveRequest, SolveResult
from solvers.program import die_with
from solvers.registry import get_solver


class ChannelListener:
    """Streams what the solver tells into the channel."""

    def __init__(self, channel: socket.socket, stopped: bool = False) -> None:
        self._channel = channel
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN | select.POLLHUP)
        self._stopped = stopped

    def on_columns(self, names: Sequence[str]) -> None:
        send(self._channel, Kind.COLUMNS, {"names": list(names)})

    def on_incumbent(self, incumbent: Incumbent) -> None:
        objective = type(incumbent.columns)("d", [incumbent.objective])
        send(self._channel, Kind.INCUMBENT, floats=objective.tobytes() + incumbent.columns.tobytes())

    def on_dual_bound(self, dual_bound: float) -> None:
        send(self._channel, Kind.DUAL_BOUND, {"dual_bound": dual_bound})

    def should_stop(self) -> bool:
        self._stopped = self._stopped or bool(self._poll.poll(0))
        return self._stopped


def main() -> None:
    """Run one request from the channel whose descriptor, parent and solver the arguments name."""
    die_with(int(sys.argv[2]))
    channel = socket.socket(fileno=int(sys.argv[1]))
    solver = get_solver(sys.argv[3])
    solver.version()  # imports the vendor package, so that no import is timed
    send(channel, Kind.READY)
    request, stopped = _receive_request(channel)
    try:
        result = solver.solve(request, ChannelListener(channel, stopped))
    except Exception:  # the child's last word: whatever the adapter raised belongs into the log
        send(channel, Kind.FAILED, {"traceback": traceback.format_exc()})
    else:
        _send_result(channel, result)


def _receive_request(channel: socket.socket) -> tuple[SolveRequest, bool]:
    """The request, and whether the stop came with it."""
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
        "raw_status": result.raw_status,
        "primal_bound": result.primal_bound,
        "dual_bound": result.dual_bound,
        "nodes": result.nodes,
        "read_seconds": result.read_seconds,
        "message": result.message,
    }
    send(channel, Kind.RESULT, header, b"" if result.columns is None else result.columns.tobytes())


if __name__ == "__main__":
    main()
