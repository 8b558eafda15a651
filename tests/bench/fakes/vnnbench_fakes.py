"""A solver that does what the test says, good or bad: its option `script` is a JSON list of [step, argument...].

Its option `file` names a file that holds such a list, for command lines, where commas separate options.

"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from vnnbench_hoarding import HOARDING

from vnnbench.instances.formulations.mps import read_mps
from vnnbench.solvers.base import (
    Incumbent,
    Licence,
    Listener,
    ModelAsRead,
    OptionError,
    OptionValue,
    Solver,
    SolveRequest,
    SolveResult,
    Termination,
)


class Scripted(Solver):
    """A solver that announces the file's columns, plays its script, and ends with `result` or as `unresolved`."""

    name: ClassVar[str] = "scripted"
    title: ClassVar[str] = "Scripted"
    module: ClassVar[str] = "vnnbench_fakes"

    def version(self) -> str:
        if os.environ.get("VNNBENCH_TEST_THREAD"):  # some vendors start threads when they are imported
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        if os.environ.get("VNNBENCH_TEST_HANG"):  # others ask a licence server that does not answer
            time.sleep(3600)
        if os.environ.get("VNNBENCH_TEST_PROGRAM"):  # others ask programs while they are imported
            print("exit code", os.waitstatus_to_exitcode(os.system("exit 3")))  # noqa: S605 - it means nothing
        if os.environ.get("VNNBENCH_TEST_BURN"):  # others are slow to import
            while time.process_time() < 1:
                pass
        hang = Path(os.environ.get("VNNBENCH_TEST_HANG_ONCE", "/nowhere"))
        if hang.exists():  # one import alone hangs
            hang.unlink()
            time.sleep(60)
        return "1.0"

    def licence(self) -> Licence:
        return Licence("none")

    def validate_options(self, options: Mapping[str, str]) -> dict[str, OptionValue]:
        for name in options:
            if name not in ("script", "file"):
                raise OptionError(f"scripted: no option {name!r}")
        return dict(options)

    def read_model(self, path: Path) -> ModelAsRead:
        raise NotImplementedError

    def solve(self, request: SolveRequest, listener: Listener) -> SolveResult:
        request.log_path.write_text("scripted log\n")
        names = read_mps(request.model_path).column_names
        listener.on_columns(names)
        script = request.options.get("script", "[]")
        if "file" in request.options:
            script = Path(str(request.options["file"])).read_text()
        for name, *arguments in json.loads(str(script)):
            if name.startswith("origin"):
                name, arguments = name.removeprefix("origin_"), [*arguments, 0.0, [0.0] * len(names)]
            if name == "spoil":
                _spoil(request.model_path, *arguments)
                continue
            result = STEPS[name](listener, *arguments)
            if result is not None:
                return result
        return _result(listener, "unresolved")


M_2 = 6
"""Place of the column m_2: how far x_2 is below the centre."""


def _incumbent(listener: Listener, objective: float, columns: list[float]) -> None:
    listener.on_incumbent(Incumbent(objective, array("d", columns)))


def _flood(listener: Listener, count: int, columns: list[float]) -> None:
    """Send incumbents that all differ but have one value on the dense networks: x_2 falls below x_3."""
    for i in range(count):
        _incumbent(listener, -1e-6 * i, [*columns[:M_2], columns[M_2] + 1e-12 * i, *columns[M_2 + 1 :]])


def _bound(listener: Listener, bound: float) -> None:
    listener.on_dual_bound(bound)


def _sleep(_: Listener, seconds: float) -> None:
    time.sleep(seconds)


def _wait_stop(listener: Listener, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not listener.should_stop() and time.monotonic() < deadline:
        time.sleep(0.002)


def _hang(_: Listener) -> None:
    while True:
        time.sleep(60)


def _ignore(_: Listener, name: str) -> None:
    signal.signal(signal.Signals[name], signal.SIG_IGN)


def _allocate(_: Listener, pause: float = 0.05) -> None:
    """Allocate slowly: from the limit to twice the limit, where the kernel refuses, it takes seconds."""
    blocks = []
    while True:
        blocks.append(bytearray(b"x" * (8 << 20)))
        time.sleep(pause)


def _print(_: Listener) -> None:
    while True:
        sys.stdout.write("x" * (1 << 20))


def _grandchild(_: Listener, pid_path: str, own_session: bool) -> None:
    """Start a grandchild that sleeps and inherits the channel."""
    if os.fork() == 0:
        if own_session:
            os.setsid()
        _write_number(Path(pid_path))
        while True:
            time.sleep(60)
    while not Path(pid_path).exists():
        time.sleep(0.001)


def _write_number(path: Path) -> None:
    """Write the number that this process has outside of its namespace."""
    part = path.with_suffix(".part")
    part.write_text(str(Path("/proc/self").readlink()))
    part.rename(path)


def _spoil(model_path: Path, how: str) -> None:
    """Remove the model file, or replace it."""
    model_path.unlink()
    if how == "rewrite":
        model_path.write_text("mine")
    elif how == "pipe":
        os.mkfifo(model_path)


def _once(_: Listener, flag: str) -> None:
    """Fail if the flag is missing, and create it."""
    if not Path(flag).exists():
        Path(flag).touch()
        raise RuntimeError("the first time")


def _fork(_: Listener, generations: int) -> None:
    """Fork into 2**generations processes, half of them in sessions of their own; all continue the script."""
    for _generation in range(generations):
        if os.fork() == 0:
            os.setsid()


def _spin(_: Listener) -> None:
    """Work without end on any free core, also on those that the process was not pinned to."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    while True:
        pass


def _daemon(_: Listener, pid_path: str) -> None:
    """Start a textbook daemon: two forks, its own session, no open descriptor, the root folder, signals ignored."""
    path = Path(pid_path)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            _write_number(path)
            os.chdir("/")
            os.closerange(0, 1 << 12)
            while True:
                time.sleep(60)
        os._exit(0)
    while not path.exists():
        time.sleep(0.001)


def _print_threads(_: Listener) -> None:
    """Print how many threads this process has, and the module that it was started with."""
    module = Path("/proc/self/cmdline").read_bytes().split(b"\0")[3].decode()
    print(threading.active_count(), module)


def _litter(_: Listener) -> None:
    """Leave files in the working folder and in the folder for temporary files."""
    Path("litter-here").write_text("x")
    Path(tempfile.gettempdir(), "litter-tmp").write_text("x")


def _up_and_down(_: Listener, mebibytes: int) -> None:
    """Allocate memory and free it; then let a child allocate as much."""
    for _process in range(2):
        block = bytearray(b"x" * (mebibytes << 20))
        time.sleep(0.3)
        del block
        if os.fork():
            os.wait()
            return


def _vanish(_: Listener) -> None:
    """Remove the working folder."""
    shutil.rmtree(Path.cwd())


def _nest(_: Listener, depth: int) -> None:
    """Make folders within folders, deeper than a path can name."""
    for _level in range(depth):
        Path("d").mkdir()
        os.chdir("d")


def _burn_in_orphans(_: Listener, seconds: float) -> None:
    """Work for ever in processes that live for so many seconds, and whose parents do not wait for them."""
    while True:
        if os.fork() == 0:
            if os.fork() == 0:
                start = time.process_time()
                while time.process_time() - start < seconds:
                    pass
            os._exit(0)
        os.wait()
        time.sleep(seconds)


def _overwrite(_: Listener, pattern: str, text: str) -> None:
    """Write a text into every file that matches."""
    for path in Path("/").glob(pattern.lstrip("/")):
        path.write_text(text)


def _raise(_: Listener, message: str) -> None:
    raise RuntimeError(message)


def _raw(listener: Listener, data: str) -> None:
    _channel(listener).sendall(data.encode("latin-1"))


def _frame(listener: Listener, header: dict[str, Any], floats: list[float], text: str = "") -> None:
    encoded = json.dumps({**header, "floats": len(floats), "text": len(text)}).encode()
    payload = array("d", floats).tobytes() + text.encode("latin-1")
    _channel(listener).sendall(len(encoded).to_bytes(4, "big") + encoded + payload)


def _junk(listener: Listener, item: str, n_bytes: int, count: int) -> None:
    """Send so many dual bounds, whose headers hold a list of that many bytes."""
    items = ",".join([item] * (n_bytes // (len(item) + 1)))
    encoded = f'{{"kind": "dual_bound", "floats": 0, "dual_bound": -1e9, "junk": [{items}]}}'.encode()
    for _ in range(count):
        _channel(listener).sendall(len(encoded).to_bytes(4, "big") + encoded)


def _close(listener: Listener) -> None:
    _channel(listener).close()


def _channel(listener: Listener) -> Any:
    return listener._channel  # type: ignore[attr-defined]


def _result(
    _: Listener,
    termination: str,
    objective: float | None = None,
    columns: list[float] | None = None,
    dual_bound: float | None = None,
) -> SolveResult:
    return SolveResult(
        termination=Termination(termination),
        raw_status=f"raw {termination}",
        primal_bound=objective,
        dual_bound=dual_bound,
        columns=None if columns is None else array("d", columns),
        nodes=7,
        read_seconds=0.0,
        wall_seconds=0.0,
    )


STEPS: dict[str, Callable[..., SolveResult | None]] = {
    "incumbent": _incumbent,
    "origin": _incumbent,  # all columns 0, objective 0; `origin_result` likewise
    "flood": _flood,
    "bound": _bound,
    "sleep": _sleep,
    "wait_stop": _wait_stop,
    "hang": _hang,
    "ignore": _ignore,
    "allocate": _allocate,
    "print": _print,
    "grandchild": _grandchild,
    "once": _once,
    "fork": _fork,
    "spin": _spin,
    "daemon": _daemon,
    "tell_threads": _print_threads,
    "litter": _litter,
    "overwrite": _overwrite,
    "up_and_down": _up_and_down,
    "vanish": _vanish,
    "nest": _nest,
    "burn_in_orphans": _burn_in_orphans,
    "python": lambda _, program: exec(program, {}),  # noqa: S102 - whatever a hostile solver may do
    "abort": lambda _: os.abort(),
    "raise": _raise,
    "segfault": lambda _: ctypes.string_at(0),  # type: ignore[dict-item, return-value]
    "kill": lambda _, number: os.kill(os.getpid(), number),
    "signal_init": lambda _, name: os.kill(1, signal.Signals[name]),
    "exit": lambda _, code: os._exit(code),
    "raw": _raw,
    "frame": _frame,
    "junk": _junk,
    "close": _close,
    "result": _result,
    **HOARDING,
}
