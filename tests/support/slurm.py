"""SLURM on this machine: a controller, two nodes, and their authentication, as processes of a test.

Each node has a host name of its own, in a namespace of its own. Both share the machine's cores.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from support.processes import MARK

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scancel", "sinfo")
CPUS = 4
"""Of each node. More than this machine may have: `config_overrides` lets SLURM believe it."""
NODES = ("node-a", "node-b")
_START_SECONDS = 60.0

_CONF = """\
ClusterName=vnnbench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SlurmUser=root
SlurmdUser=root
ReturnToService=2
KillWait=2
InactiveLimit=0
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def missing() -> str | None:
    """Return why SLURM cannot be started here; None where it can."""
    if os.geteuid() != 0:
        return "SLURM's daemons need root"
    absent = [name for name in PROGRAMS if _program(name) is None]
    if absent:
        return f"{', '.join(absent)} of SLURM are not installed"
    may = subprocess.run(["unshare", "--uts", "hostname", NODES[0]], capture_output=True, check=False).returncode == 0
    return None if may else "the host name of a namespace cannot be set here"


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


@contextmanager
def slurm(folder: Path) -> Iterator[Mapping[str, str]]:
    """Start SLURM with its files in `folder`, yield the environment in which its commands find it, and end it by pid.

    Raises RuntimeError with the end of its logs when the nodes do not come up.
    """
    for name in ("state", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    folder.chmod(0o755)
    conf = folder / "slurm.conf"
    controller, *ports = _free_ports(1 + len(NODES))
    nodes = "\n".join(
        f"NodeName={node} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} RealMemory=16000 State=UNKNOWN"
        for node, port in zip(NODES, ports, strict=True)
    )
    conf.write_text(
        _CONF.format(host=os.uname().nodename.split(".")[0], folder=folder, controller=controller, nodes=nodes)
    )
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    environment.pop(MARK, None)  # the daemons outlive the test that was first
    munge = [
        "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
        f"--pid-file={folder}/munge.pid", f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed",
    ]  # fmt: skip
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        named = [["unshare", "--uts", "sh", "-c", f"hostname {node} && exec {_program('slurmd')} -D"] for node in NODES]
        for number, command in enumerate((munge, ["slurmctld", "-D", "-i"], *named)):
            with (folder / f"{number}-{command[0]}.out").open("wb") as out:
                program = [_program(command[0]) or command[0], *command[1:]]
                daemons.append(subprocess.Popen(program, stdout=out, stderr=out, env=environment))
            time.sleep(0.5)
        _await_nodes(environment, folder)
        yield environment
    finally:
        subprocess.run(["scancel", "--user=root"], env=environment, capture_output=True, check=False)
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
            daemon.kill()
            daemon.wait()


def _await_nodes(environment: Mapping[str, str], folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        asked = ["sinfo", "-h", "-N", "-o", "%t"]
        said = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
        if said.stdout.split() == ["idle"] * len(NODES):
            return
        time.sleep(0.2)
    logs = [path.read_text(errors="replace")[-500:] for path in sorted(folder.glob("*.log")) if path.is_file()]
    raise RuntimeError(f"the nodes of SLURM did not come up: {said.stdout}{said.stderr}\n" + "\n".join(logs))


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
