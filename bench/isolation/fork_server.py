"""The fork server of one solver, and the processes that it forks for each run: monitor, init and worker.

    harness ── orders ──> fork server    has imported the solver; forks once for each run
                            └─ monitor      makes the namespaces, waits for init, reports what the run used
                                └─ init        first process of the namespace: ends the run on request, or when the
                                    │          harness has ended
                                    └─ worker     the solver (`worker`), and all processes that it starts

`fork_client` starts it as `python -m vnnbench.isolation.fork_server ORDERS_FD PARENT_PID SOLVER`. An order is a JSON
`Order` with three descriptors: the channel (`protocol`), the control socket and the file for the worker's output. On
the control socket monitor and init report GUARDED, HELD, EXITED and USED, and init receives TERMINATE. The run is over
when the other end of the control socket is closed or shut for writing; so when a harness is killed its runs end. Init
then kills all processes of the run. If something delays init for more than ENDING_SECONDS, the monitor kills init, and
the run ends with it. Init also dies when the monitor dies.

Beside the PID namespace a run has an IPC namespace and a mount namespace, with a /dev/shm of its own: System V and
POSIX shared memory ends with the run, and can be counted. HELD comes with a descriptor of the namespace's list of
segments.

Where a PID namespace is refused, monitor and init are subreapers instead: the worker's orphans become their children,
and they kill them. Only the standard library and psutil are imported here, so that a fork is small.
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

from vnnbench.isolation import worker
from vnnbench.isolation.capabilities import give_up_rights
from vnnbench.isolation.cgroups import fork_into, join
from vnnbench.isolation.hidden_storage import SEGMENTS_PATH
from vnnbench.references.adapters import get_adapter
from vnnbench.solvers.base import Solver
from vnnbench.solvers.command_line.program import die_with

GUARDED, HELD, EXITED, USED = "guarded", "held", "exited", "used"
TERMINATE, _END = b"terminate", b""
NAMESPACE, SUBREAPER = "namespace", "subreaper"

ENDING_SECONDS = 5.0
"""The time that init has for ending a run before the monitor kills init."""

MAX_ORDER_BYTES = 1 << 16
_N_DESCRIPTORS = 3
_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWPID = 0x20000, 0x8000000, 0x10000000, 0x20000000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_SLAVE = 2, 4, 0x4000, 0x80000
_MAX_SHARED_FILES = 10_000
_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the harness for one worker.

    solver: as `get_adapter` takes it. cores: those to pin it to; empty for all that the harness has. data_bytes: by how
    much its private writable memory may grow (RLIMIT_DATA), a second line of defence. file_bytes: the size of the
    largest file that it may write. shared_bytes: the size of its /dev/shm. group: the folder of its control group, ""
    for none. plain: it becomes a new interpreter that imports the solver itself.
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
    # Threads do not survive a fork, but the locks that they held do. With threads every worker is a new interpreter.
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
    """Fork a process that calls `work` and ends with the exit code that it returns, in this control group where
    possible. Returns the number of the process."""
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
    except BaseException:  # the process ends here, whatever the exception is
        traceback.print_exc()
    finally:
        _leave(code)


def _leave(code: int) -> NoReturn:
    """End this process without running the parent's clean-up, after flushing what was printed."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
        _libc().fflush(None)  # what vendors printed from C
    os._exit(code)


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


# -- monitor ---------------------------------------------------------------------------------------------------------


def _run_monitor(orders: socket.socket, order: Order, held: _Descriptors, solver: Solver) -> int:
    """Make the namespaces, fork init and wait for it. Init is a child: only children are in the new namespace."""
    orders.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if order.group:
        join(order.group)
    own_segments = _enter_namespaces(order.shared_bytes)
    _libc().prctl(_PR_SET_DUMPABLE, 0)  # no process of the run may trace this one or init, and so stop it
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
    """Wait until init has ended, or until ENDING_SECONDS have passed since the end of the run."""
    try:
        ended = os.pidfd_open(init)
    except OSError:  # a kernel before 5.3: wait without a limit
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
    """Make a PID namespace, whose first process is the next child, and IPC and mount namespaces for this process, where
    that is permitted. Where it is not, it may be permitted within a user namespace, which is tried next. Returns
    whether this process has an IPC namespace of its own, with its own System V segments."""
    user, group, before = os.geteuid(), os.getegid(), _ipc_namespace()
    libc = _libc()
    every = _CLONE_NEWPID | _CLONE_NEWIPC | _CLONE_NEWNS
    wanted = (every, every | _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWPID | _CLONE_NEWUSER)
    made = next((flags for flags in wanted if libc.unshare(flags) == 0), 0)
    is_known = True
    if made & _CLONE_NEWUSER:
        try:  # keep the user and group, to whom licences and files belong
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        except OSError:  # for example root without privileges, who could not write into what is mounted here
            is_known = False
    # Mount only where the mount stays in this namespace.
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
    """Start the worker, reap children that have ended, pass signals on, and finally kill all processes of the run."""
    # Checked here, not taken from `unshare`: a signal to all processes, sent outside a namespace, would end all
    # processes of the user.
    enforcement = NAMESPACE if os.getpid() == 1 else SUBREAPER
    if enforcement == NAMESPACE:
        die_with(0)  # the monitor, which has no number in this namespace
    else:
        _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    interrupted = signal.signal(signal.SIGINT, signal.SIG_DFL)  # init ignores signals for which it has no handler
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
    """Report HELD, with a descriptor of the open list of segments: it shows those of the namespace in which it was
    opened, also to readers elsewhere."""
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
    """Kill all processes below this one, and wait for them."""
    while _reap_children(report_exit, os.WNOHANG):
        if enforcement == SUBREAPER:
            _signal_all(enforcement, signal.SIGSTOP)  # first, so that none forks while they are listed again
        _signal_all(enforcement, signal.SIGKILL)
        _reap_children(report_exit, 0)


def _reap_children(report_exit: Callable[[int, int], None], options: int) -> bool:
    """Wait for children that have ended, including orphans of the namespace: for all that have (WNOHANG), or for one.
    Return whether there may be more children."""
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
    """Send a signal to all processes below this one."""
    if enforcement == NAMESPACE:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, number)  # to all processes of the namespace except init at once, so that no fork escapes
        return
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


# -- worker ----------------------------------------------------------------------------------------------------------


def _run_worker(parent: int, order: Order, held: _Descriptors, solver: Solver) -> int:
    """Limit and pin this process, redirect its output to its file, then run the solver."""
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
    _libc().prctl(_PR_SET_DUMPABLE, 1)  # unlike init, so that the harness can read its use of memory
    give_up_rights()
    if order.plain:
        os.set_inheritable(held.channel, True)
        command = [sys.executable, "-P", "-m", "vnnbench.isolation.worker", str(held.channel), order.solver]
        os.execv(sys.executable, command)  # noqa: S606 - our own interpreter and module
    channel = socket.socket(fileno=held.channel)
    worker.serve(channel, solver)
    channel.detach()  # it closes when the process ends, after everything is printed
    return 0


def _limit(kind: int, value: int) -> None:
    """Lower a resource limit permanently, unless it is lower already."""
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _data_bytes() -> int:
    """Return the bytes of this process that RLIMIT_DATA counts now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))


if __name__ == "__main__":
    main()
