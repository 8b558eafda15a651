"""The options of a cluster, as `--engine-option KEY=VALUE` gives them, checked before anything is submitted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from vnnbench.errors import UsageError

PROVIDERS = ("local", "slurm", "pbspro", "lsf", "condor", "kubernetes")
MAX_COUNT = 100_000


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """How to get workers, and how many.

    provider: what starts jobs, one of `PROVIDERS`. blocks: the most jobs at a time. workers_per_node: runs at a time on
    a node; None for as many as its cores allow. nodes_per_block: nodes of a job. walltime_seconds: how long a job may
    last; None on this machine. address: the name or IP address by which workers reach the head; None to try all of this
    machine. max_gurobi: the most Gurobi runs at a time; None for any number. scratch: a folder on each node; None for
    its TMPDIR. others: what is passed on to the provider, by the name that Parsl has for it.
    """

    provider: str = "local"
    blocks: int = 1
    workers_per_node: int | None = None
    nodes_per_block: int = 1
    walltime_seconds: int | None = None
    address: str | None = None
    max_gurobi: int | None = None
    scratch: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Self:
        """Return the options of texts KEY=VALUE. Raises `UsageError`."""
        given: dict[str, str] = {}
        for text in texts:
            key, separator, value = text.partition("=")
            if not separator or not key or not value or key in given:
                raise UsageError(f"--engine-option {text[:200]}: must be KEY=VALUE, with each key only once")
            given[key] = value
        provider = given.pop("provider", "local")
        if provider not in PROVIDERS:
            raise UsageError(f"--engine-option provider={provider[:40]}: must be one of {', '.join(PROVIDERS)}")
        walltime = given.pop("walltime", None)
        if walltime is None and provider not in ("local", "kubernetes"):
            raise UsageError(f"--engine-option walltime: give the time after which {provider} ends a job, as HH:MM:SS")
        if walltime is not None and provider in ("local", "kubernetes"):
            raise UsageError(
                f"--engine-option walltime={walltime[:40]}: provider {provider} ends no jobs; leave it out"
            )
        if provider == "local" and "address" in given:
            raise UsageError("--engine-option address: the workers of provider local are on this machine; leave it out")
        nodes = _count(given, "nodes_per_block") or 1
        if nodes > 1 and provider != "slurm":
            raise UsageError("--engine-option nodes_per_block: jobs of several nodes need provider=slurm; give blocks")
        return cls(
            provider,
            _count(given, "blocks") or 1,
            _count(given, "workers_per_node"),
            nodes,
            None if walltime is None else _seconds(walltime),
            given.pop("address", None),
            _count(given, "max_gurobi"),
            _absolute(given.pop("scratch", None)),
            given,
        )

    @property
    def walltime(self) -> str | None:
        """The time after which a job ends, as HH:MM:SS."""
        minutes = None if self.walltime_seconds is None else self.walltime_seconds // 60
        return None if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}:00"


def _count(given: dict[str, str], key: str) -> int | None:
    text = given.pop(key, None)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_COUNT)) and 1 <= int(text) <= MAX_COUNT):
        raise UsageError(f"--engine-option {key}={text[:40]}: must be a whole number from 1 to {MAX_COUNT}")
    return int(text)


def _absolute(scratch: str | None) -> str | None:
    if scratch is not None and not scratch.startswith("/"):
        raise UsageError(f"--engine-option scratch={scratch[:100]}: must be an absolute path, the same on all nodes")
    return scratch


def _seconds(text: str) -> int:
    match = re.fullmatch(r"(\d{1,4}):([0-5]\d):[0-5]\d", text, re.ASCII)
    minutes = 0 if match is None else 60 * int(match[1]) + int(match[2])  # schedulers count in minutes
    if not minutes:
        raise UsageError(f"--engine-option walltime={text[:40]}: must be HH:MM:SS, at least a minute, as in 04:00:00")
    return 60 * minutes
