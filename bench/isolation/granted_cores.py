"""The number of cores that a job may use, printed by `python -m vnnbench.isolation.granted_cores`."""

from __future__ import annotations

import os

_BY_SCHEDULER = ("SLURM_CPUS_ON_NODE", "NCPUS", "LSB_DJOB_NUMPROC")
"""Variables in which schedulers say how many cores of the node they have granted: SLURM, PBS Pro, LSF."""


def granted_cores() -> int | None:
    """Return the number of cores of this node that the scheduler has granted to the job; None outside of jobs."""
    counts = [os.environ.get(name, "") for name in _BY_SCHEDULER]
    return next((int(count) for count in counts if count.isascii() and count.isdecimal() and int(count)), None)


def usable_cores() -> int:
    """Return the smaller of the number of granted cores and of those that this process may use."""
    own = len(os.sched_getaffinity(0))
    return min(granted_cores() or own, own)


def is_confined() -> bool:
    """Return whether this process may use no other cores than those granted to its job: where it may, other jobs can
    have them."""
    granted = granted_cores()
    return granted is None or len(os.sched_getaffinity(0)) <= granted


if __name__ == "__main__":
    print(usable_cores())
