"""The choice of an engine, by the name that `--engine` takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from vnnbench.common.cpu_model import cpu_model
from vnnbench.engines.base import Engine
from vnnbench.engines.cluster_options import ClusterOptions
from vnnbench.engines.local import LocalEngine
from vnnbench.errors import UsageError
from vnnbench.instances.generation.workers import Submit
from vnnbench.instances.library.library import Library
from vnnbench.instances.progress import StatusProgress

LOCAL, PARSL = "local", "parsl"


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine that a user has chosen. jobs: runs at a time on this machine. cluster: the options of `parsl`; None
    for `local`. words: the options of a command that choose the cluster again."""

    jobs: int
    cluster: ClusterOptions | None = None
    words: tuple[str, ...] = ()

    @classmethod
    def parse(cls, name: str, jobs: int, options: Sequence[str]) -> Self:
        """Return the choice of `--engine`, `--jobs` and each `--engine-option`. Raises `UsageError`."""
        if name == LOCAL:
            if options:
                raise UsageError(f"--engine-option {options[0][:200]}: has a meaning only with --engine {PARSL}")
            return cls(jobs)
        if name != PARSL:
            raise UsageError(f"--engine {name[:40]}: must be {LOCAL} or {PARSL}")
        if jobs != 1:
            raise UsageError(
                f"--jobs: has no meaning with --engine {PARSL}; give --engine-option blocks=N and workers_per_node=N"
            )
        if find_spec("parsl") is None:
            raise UsageError(f"--engine {PARSL}: Parsl is not installed; pip install 'vnnbench[cluster]'")
        cluster = ClusterOptions.parse(options)
        from vnnbench.engines.providers import make_provider  # Parsl takes half a second to import

        make_provider(cluster, 1, "")  # so that a wrong option is refused before anything begins
        chosen = (word for text in options for word in ("--engine-option", text))
        return cls(jobs, cluster, ("--engine", name, *chosen))

    @property
    def at_a_time(self) -> int:
        """How many runs are executed at a time, as far as the options say."""
        if self.cluster is None:
            return self.jobs
        return self.cluster.blocks * self.cluster.nodes_per_block * (self.cluster.workers_per_node or 1)

    @property
    def cpu(self) -> str | None:
        """The type of CPU on which runs are executed; None for a cluster, where it is known afterwards."""
        return cpu_model() if self.cluster is None else None

    def generation_workers(
        self, status: Callable[[str], None]
    ) -> Callable[[Path], AbstractContextManager[Submit]] | None:
        """Return what makes workers on a cluster for the library in a folder; None for those of this machine. status:
        is called with how many jobs and workers there are."""
        if self.cluster is None:
            return None
        from vnnbench.engines.cluster_pool import cluster_workers

        return partial(cluster_workers, self.cluster, status)

    def engine(self, library: Library, results: Path, progress: StatusProgress) -> Engine:
        """Return the engine for runs on a library, which tells its user facts by `progress`."""
        if self.cluster is None:
            return LocalEngine(library, results, self.jobs)
        from vnnbench.engines.cluster_engine import ClusterEngine

        return ClusterEngine(library, results, self.cluster, progress)
