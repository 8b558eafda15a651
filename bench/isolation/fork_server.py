"""The fork server of one solver, and what it forks for each run.

    harness ── orders ──> fork server    has imported the solver; forks once for each run
                            └─ monitor      makes the namespaces, waits for init, reports what the run used
                                └─ init        first process of the namespace: ends the run when it is asked to, or
                                    │          when the harness has ended
                                    └─ worker     the solver (`worker`), and all that it starts

`fork_client` starts it as `python -m vnnbench.isolation.fork_server ORDERS_FD PARENT_PID SOLVER`. An order is a JSON
`Order` with three descriptors: the channel (`protocol`), the control socket and the file for the worker's output. On
the control socket monitor and init report GUARDED, HELD, EXITED and USED, and init receives TERMINATE. When its other
end is closed, or shut for writing, the run is over: so the runs of a harness that is killed end with it. Init then
kills all of the run. Where it has not done so within ENDING_SECONDS, because something holds it up, the monitor kills
init, and the run with it; and init dies with the monitor.

Beside the PID namespace a run has one of IPC and one of mounts, with a /dev/shm of its own: System V and POSIX shared
memory ends with the run, and can be counted. HELD comes with a descriptor of the namespace's list of segments.

Where a PID namespace is refused, monitor and init are subreapers instead: the worker's orphans become their children,
and they kill them. Standard library and psutil only, so that a fork is small.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil

from vnnbench.attack.adapters import get_adapter
from vnnbench.isolation import worker
from vnnbench.isolation.capabilities import give_up_rights
from vnnbench.isolation.cgroups import fork_into, join
from vnnbench.isolation.hidden_storage import SEGMENTS_PATH
from vnnbench.solvers.base import Solver
from vnnbench.solvers.command_line.program import die_with

GUARDED, HELD, EXITED, USED = "guarded", "held", "exited", "used"
TERMINATE, _END = b"terminate", b""
NAMESPACE, SUBREAPER = "namespace", "subreaper"

ENDING_SECONDS = 5.0
"""How long init has to end a run before the monitor kills it."""

MAX_ORDER_BYTES = 1 << 16
_N_DESCRIPTORS = 3
_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWPID = 0x20000, 0x8000000, 0x10000000, 0x20000000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_SLAVE = 2, 4, 0x4000, 0x80000
_MAX_SHARED_FILES = 10_000
_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36


@dataclass(frozen=True, slots=True)
class Order:
    """What the harness wants of one worker.

    solver: as `get_adapter` takes it. cores: to be pinned to; none: all that the harness has. data_bytes: what it may
    add to its private writable memory (RLIMIT_DATA), a backstop. file_bytes: of the largest file it may write.
    shared_bytes: of its own /dev/shm. group: the folder of the control group to be in, "" for none. plain: it becomes
    a new interpreter that imports the solver itself.
    """

    solver: str
    cores: tuple[int, ...]
    data_bytes: int
    file_bytes: int
    shared_bytes: int
    group: str = ""
    plain: bool = False

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True, slots=True)
class _Descriptors:
    channel: int
    control: int
    output: int


def main() -> None:
    """Import the solver, then fork for every order until the harness closes its end."""
    orders, parent, name = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), sys.argv[3]
    die_with(parent)
    solver = get_adapter(name)
    solver.version()  # imports the vendor package, so that no import is timed
    signal.signal(
        signal.SIGCHLD, signal.SIG_IGN
    )  # the kernel reaps the monitors; earlier children were the solver's own programs
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page
    # A thread does not survive a fork, but the locks that it held do: then every worker is a new interpreter.
    threaded = len(list(Path("/proc/self/task").iterdir())) > 1
    while True:
        data, descriptors, _, _ = socket.recv_fds(orders, MAX_ORDER_BYTES, _N_DESCRIPTORS)
        if not data:
            return
        fields = json.loads(data)
        order = Order(**{**fields, "cores": tuple(fields["cores"]), "plain": fields["plain"] or threaded})
        held = _Descriptors(*descriptors)
        group = "" if threaded else order.group
        _fork(lambda order=order, held=held: _run_monitor(orders, order, held, solver), group)  # type: ignore[misc]
        for descriptor in descriptors:
            os.close(descriptor)


def _fork(work: Callable[[], int], group: str = "") -> int:
    """Fork a process that does `work` and ends with the exit code it returns, in this control group, where that can be
    done. Returns the process's number."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = fork_into(group) if group else None
    pid = os.fork() if pid is None else pid
    if pid:
        return pid
    code = 1
    try:
        code = work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # the process's last word, whatever it is
        traceback.print_exc()
    finally:
        _leave(code)


def _leave(code: int) -> NoReturn:
    """End this process without the parent's clean-up, but with everything printed."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
        _libc().fflush(None)  # what vendors printed from C
    os._exit(code)


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


# -- monitor ---------------------------------------------------------------------------------------------------------


def _run_monitor(orders: socket.socket, order: Order, held: _Descriptors, solver: Solver) -> int:
    """Make the namespaces and wait for init, which is a child, for only a child is in the new namespace."""
    orders.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if order.group:
        join(order.group)
    own_segments = _enter_namespaces(order.shared_bytes)
    _libc().prctl(_PR_SET_DUMPABLE, 0)  # no process of the run may trace this one or init, and hold it up
    _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1)
    control = socket.socket(fileno=held.control)
    _report(control, {GUARDED: True})
    pid = _fork(lambda: _run_init(control, order, held, solver, own_segments))
    os.close(held.channel)
    os.close(held.output)
    _wait_for_init(pid, control)
    _end_children(SUBREAPER, lambda *_: None)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    _report(control, {USED: usage.ru_utime + usage.ru_stime})
    return 0


def _wait_for_init(init: int, control: socket.socket) -> None:
    """Wait until init has ended, or should have."""
    try:
        ended = os.pidfd_open(init)
    except OSError:  # a kernel before 5.3: init is left to itself
        os.waitid(os.P_PID, init, os.WEXITED | os.WNOWAIT)
        return
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(control, select.POLLRDHUP)
    if ended not in {descriptor for descriptor, _ in poll.poll()}:
        poll.unregister(control)
        poll.poll(1000 * ENDING_SECONDS)
    os.close(ended)


def _enter_namespaces(shared_bytes: int) -> bool:
    """Have the next child be the first process of a PID namespace, and this process in namespaces of IPC and mounts of
    its own, where that is permitted; whoever may not make them may in a namespace of users. Returns whether the System
    V segments are its own, too."""
    user, group, before = os.geteuid(), os.getegid(), _ipc_namespace()
    libc = _libc()
    every = _CLONE_NEWPID | _CLONE_NEWIPC | _CLONE_NEWNS
    wanted = (every, every | _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWPID | _CLONE_NEWUSER)
    made = next((flags for flags in wanted if libc.unshare(flags) == 0), 0)
    is_known = True
    if made & _CLONE_NEWUSER:
        try:  # stay who we are: licences and files are the user's
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        except OSError:  # as of root without privileges, who could write nothing into what is mounted here
            is_known = False
    # Nothing is mounted unless it stays here.
    if is_known and made & _CLONE_NEWNS and libc.mount(None, b"/", None, _MS_REC | _MS_SLAVE, None) == 0:
        options = f"mode=1777,size={shared_bytes},nr_inodes={_MAX_SHARED_FILES}"
        libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", _MS_NOSUID | _MS_NODEV, options.encode())
    return _ipc_namespace() != before


def _ipc_namespace() -> str:
    with contextlib.suppress(OSError):
        return str(Path("/proc/self/ns/ipc").readlink())
    return ""


def _report(control: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    with contextlib.suppress(OSError):  # the other end is closed: the run is over
        socket.send_fds(control, [json.dumps(message).encode()], descriptors)


# -- init ------------------------------------------------------------------------------------------------------------


def _run_init(control: socket.socket, order: Order, held: _Descriptors, solver: Solver, own_segments: bool) -> int:
    """Start the worker, reap what has ended, pass signals on, and leave no process of the run alive."""
    # Seen here, not believed of `unshare`: a signal to all, sent outside of a namespace, ends all that the user has.
    enforcement = NAMESPACE if os.getpid() == 1 else SUBREAPER
    if enforcement == NAMESPACE:
        die_with(0)  # the monitor, which has no number in this namespace
    else:
        _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    interrupted = signal.signal(signal.SIGINT, signal.SIG_DFL)  # without a handler, what the worker sends does nothing
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    _report_held(control, enforcement, own_segments)
    parent = os.getpid()

    def work() -> int:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, interrupted)
        control.close()
        os.close(wake_read)
        os.close(wake_write)
        return _run_worker(parent, order, held, solver)

    pid = _fork(work)

    def report_exit(ended: int, status: int) -> None:
        if ended == pid:
            _report(control, {EXITED: os.waitstatus_to_exitcode(status)})

    os.close(held.channel)
    os.close(held.output)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    over = False
    while not over:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if wake_read in ready:
            os.read(wake_read, 1 << 12)
            _reap_children(report_exit, os.WNOHANG)
        if control.fileno() in ready:
            told = _receive_command(control)
            over = told == _END
            if told == TERMINATE:
                _signal_all(enforcement, signal.SIGTERM)
    _end_children(enforcement, report_exit)
    return 0


def _report_held(control: socket.socket, enforcement: str, own_segments: bool) -> None:
    """An open list shows the segments of the namespace that it was opened in, to whoever reads it."""
    if not own_segments:
        return _report(control, {HELD: enforcement})
    with SEGMENTS_PATH.open("rb") as segments:
        return _report(control, {HELD: enforcement}, [segments.fileno()])


def _receive_command(control: socket.socket) -> bytes:
    try:
        return control.recv(1 << 8)
    except OSError:
        return _END


def _end_children(enforcement: str, report_exit: Callable[[int, int], None]) -> None:
    """Kill whatever is below this process, and wait for it."""
    while _reap_children(report_exit, os.WNOHANG):
        if enforcement == SUBREAPER:
            _signal_all(enforcement, signal.SIGSTOP)  # first, so that none forks while the next look is taken
        _signal_all(enforcement, signal.SIGKILL)
        _reap_children(report_exit, 0)


def _reap_children(report_exit: Callable[[int, int], None], options: int) -> bool:
    """Wait for children that have ended, orphans of the namespace among them: for all there are (WNOHANG), or for one.
    Whether there are more."""
    try:
        while True:
            pid, status = os.waitpid(-1, options)
            if pid == 0:
                return True
            report_exit(pid, status)
            if not options:
                return True
    except ChildProcessError:
        return False


def _signal_all(enforcement: str, number: signal.Signals) -> None:
    """Signal everything below this process."""
    if enforcement == NAMESPACE:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, number)  # all of the namespace but init, at once: no fork escapes
        return
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


# -- worker ----------------------------------------------------------------------------------------------------------


def _run_worker(parent: int, order: Order, held: _Descriptors, solver: Solver) -> int:
    """Limit and pin this process, have it print into its file, then run the solver."""
    os.setsid()
    die_with(parent)
    os.dup2(held.output, 1)
    os.dup2(held.output, 2)
    os.close(held.output)
    if order.cores:
        os.sched_setaffinity(0, order.cores)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, order.file_bytes)
    _limit(resource.RLIMIT_DATA, _data_bytes() + order.data_bytes)
    _libc().prctl(_PR_SET_DUMPABLE, 1)  # unlike init, so that the harness may see what memory it uses
    give_up_rights()
    if order.plain:
        os.set_inheritable(held.channel, True)
        command = [sys.executable, "-P", "-m", "vnnbench.isolation.worker", str(held.channel), order.solver]
        os.execv(sys.executable, command)  # noqa: S606 - our own interpreter and module
    channel = socket.socket(fileno=held.channel)
    worker.serve(channel, solver)
    channel.detach()  # it closes with the process: by then everything is printed
    return 0


def _limit(kind: int, value: int) -> None:
    """Lower a limit for good; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _data_bytes() -> int:
    """What RLIMIT_DATA counts of this process now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))


if __name__ == "__main__":
    main()
