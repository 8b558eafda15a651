"""Parsl's providers, which start and end jobs, from the options of a cluster."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
from parsl.jobs.states import JobState, JobStatus
from parsl.launchers import SingleNodeLauncher, SrunLauncher
from parsl.providers import (
    CondorProvider,
    KubernetesProvider,
    LocalProvider,
    LSFProvider,
    PBSProProvider,
    SlurmProvider,
)
from parsl.providers.base import ExecutionProvider

from vnnbench.engines.cluster_options import ClusterOptions
from vnnbench.errors import ResultsError, UsageError


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of provider. program: what submits its jobs. cores: its parameters for the cores of a node or job."""

    make: Callable[..., ExecutionProvider]
    program: str | None
    cores: tuple[str, ...] = ()


_KINDS = {
    "local": _Kind(LocalProvider, None),
    "slurm": _Kind(SlurmProvider, "sbatch", ("cores_per_node",)),
    "pbspro": _Kind(PBSProProvider, "qsub", ("cpus_per_node",)),
    "lsf": _Kind(LSFProvider, "bsub", ("cores_per_node",)),
    "condor": _Kind(CondorProvider, "condor_submit", ("cores_per_slot",)),
    "kubernetes": _Kind(KubernetesProvider, None, ("init_cpu", "max_cpu")),
}
_WHOLE_NODES = '--cpus-per-task="$SLURM_CPUS_ON_NODE"'
"""An option of srun, which else gives each pool of workers a single core of its node."""
MARK = "VNNBENCH_CLUSTER"
"""The environment variable by which the processes of a cluster are known."""
_JOB = re.compile(r"[A-Za-z0-9_.@\[\]-]{1,200}")
"""The ids of jobs: nothing that a shell would read otherwise."""
_OURS = (
    *("init_blocks", "min_blocks", "max_blocks", "nodes_per_block", "parallelism"),
    *("launcher", "walltime", "regex_job_id"),
)
"""Parameters of providers that follow from other options."""


def make_provider(options: ClusterOptions, cores_per_worker: int, mark: str) -> ExecutionProvider:
    """Return the provider for the options, whose workers have `cores_per_worker` cores each. mark: the value of MARK in
    the environment of all their processes. Raises `UsageError`."""
    kind = _KINDS[options.provider]
    if kind.program is not None and shutil.which(kind.program) is None:
        raise UsageError(f"--engine-option provider={options.provider}: {kind.program} is not on this machine's PATH")
    parameters = inspect.signature(kind.make).parameters
    given = {key: _value(options, parameters, key, text) for key, text in options.others.items()}
    if options.workers_per_node is not None:
        for name in kind.cores:
            given.setdefault(name, options.workers_per_node * cores_per_worker)
    if options.walltime is not None:
        given["walltime"] = options.walltime
    if options.nodes_per_block > 1:
        given |= {"nodes_per_block": options.nodes_per_block, "launcher": SrunLauncher(overrides=_WHOLE_NODES)}
    elif "launcher" in parameters:
        given["launcher"] = SingleNodeLauncher()
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in given:
            raise UsageError(f"--engine-option {name}: provider {options.provider} needs it")
    given["worker_init"] = "\n".join(filter(None, [given.get("worker_init", ""), _granted(), f"export {MARK}={mark}"]))
    try:
        return kind.make(init_blocks=0, min_blocks=0, max_blocks=options.blocks, parallelism=1, **given)
    except Exception as error:  # each provider has errors of its own
        what = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(f"--engine-option provider={options.provider}: {what[0]}") from error


def cancel_noted(options: ClusterOptions, mark: str, jobs: Sequence[str]) -> None:
    """Cancel the jobs of an earlier head: those of this machine by their mark, others by their ids, of which each goes
    into a command of the scheduler. Raises `UsageError`, `ResultsError`."""
    if (wrong := next((job for job in jobs if not _JOB.fullmatch(job)), None)) is not None:
        raise ResultsError(f"{wrong[:40]!r} is not the id of a job of {options.provider}")
    if options.provider == "local":
        end_marked(mark)
    elif jobs:
        provider = make_provider(options, 1, mark)
        provider.resources.update({job: {"job_id": job, "status": JobStatus(JobState.UNKNOWN)} for job in jobs})
        provider.cancel(list(jobs))


def end_marked(mark: str) -> None:
    """Kill the processes of this user on this machine that have this mark."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == os.getuid() and process.environ().get(MARK) == mark:
                process.kill()


def _granted() -> str:
    """Return the line of a job's script that lets Parsl start workers for the granted cores only."""
    return f"export PARSL_CORES=$({shlex.quote(sys.executable)} -P -m vnnbench.isolation.granted_cores)"


def _value(options: ClusterOptions, parameters: Mapping[str, inspect.Parameter], key: str, text: str) -> Any:
    """Return the value of one of the provider's parameters, by its annotation, or else by its default."""
    own = {name: _kind_of(parameter) for name, parameter in parameters.items() if name not in _OURS}
    kind = own.get(key)
    if kind is None:
        names = sorted(name for name, kind in own.items() if kind is not None)
        raise UsageError(f"--engine-option {key[:40]}: is not an option of {options.provider}: {', '.join(names)}")
    try:
        if kind is bool:
            return {"true": True, "false": False}[text]
        if kind is list:
            return [(claim, mount) for claim, mount in (part.split(":") for part in text.split(","))]
        value = kind(text)
        if kind is int and value < 1:
            raise ValueError
        return value
    except (KeyError, ValueError):
        wanted = {bool: "true or false", list: "CLAIM:PATH[,CLAIM:PATH...]", int: "a whole number of at least 1"}
        raise UsageError(f"--engine-option {key}={text[:40]}: must be {wanted.get(kind, 'a number')}") from None


def _kind_of(parameter: inspect.Parameter) -> type | None:
    """Return bool, int, float, str or list, for a list of pairs; None for a parameter of another kind."""
    text = str(parameter.annotation)
    if parameter.annotation in (bool, int, float, str):
        return parameter.annotation  # type: ignore[no-any-return]
    for kind in (bool, int, float, str):
        if text == f"typing.Optional[{kind.__name__}]":
            return kind
    if text.startswith("typing.List[typing.Tuple["):
        return list
    if parameter.annotation is not inspect.Parameter.empty:
        return None
    if parameter.default is None:
        return int if parameter.name.startswith(("cores", "mem", "cpus")) else str
    return type(parameter.default) if isinstance(parameter.default, bool | int | float | str) else None
