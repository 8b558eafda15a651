"""The vocabulary of a judged run, and the error of a ledger that cannot be used. This module does not import pandas.

The words are explained in `bench/README.md`, section "Words".
"""

from __future__ import annotations

from enum import StrEnum

from vnnbench.common.text import message_line

SUBMITTED = "submitted-"
"""The prefix of the names of machines whose runs `vnnbench merge` took in: their times, terminations and bounds rest on
the submitter's word."""


def is_submitted(machine: str) -> bool:
    """Return whether this is the name of a machine whose runs were merged, or of its type of CPU or host."""
    return machine.startswith(SUBMITTED)


class LedgerError(Exception):
    """The ledger cannot be used.

    The message names the file and the reason in one printable line, whatever SQLite quotes of the file.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message_line(message))


class EndedBy(StrEnum):
    """What ended the run."""

    SOLVER = "solver"
    JUDGE = "judge"
    TIME = "time"
    CPU = "cpu"
    MEMORY = "memory"
    OUTPUT = "output"
    CRASH = "crash"
    OPERATOR = "operator"


class Enforcement(StrEnum):
    """The means that enforced the limits of a run.

    NAMESPACE: a PID namespace; the kernel kills every process in it with its first one, and that one with the harness.
    SUBREAPER: a process that becomes the parent of orphaned processes of the run, and kills them. PROCESS_GROUP: in
    older ledgers, signals to the process group and to the descendants that were seen.
    """

    NAMESPACE = "namespace"
    SUBREAPER = "subreaper"
    PROCESS_GROUP = "process-group"


class Counted(StrEnum):
    """The means that measured a run's processor time and memory.

    CGROUP: the kernel, in a control group of the run. CGROUP_CPU: the kernel for processor time; memory by sampling the
    run's processes. SAMPLING: both by sampling.
    """

    CGROUP = "cgroup"
    CGROUP_CPU = "cgroup-cpu"
    SAMPLING = "sampling"


class Verdict(StrEnum):
    """The knowledge about the problem, on the dense network, that follows from this run."""

    ADVERSARIAL = "adversarial"
    ROBUST = "robust"
    VALUE = "value"
    UNKNOWN = "unknown"


class Evidence(StrEnum):
    """The evidence on which the verdict rests."""

    EXACT = "exact"
    REPAIRED = "repaired"
    CERTIFICATE = "certificate"
    CLAIMED = "claimed"
    NONE = "none"


class Fault(StrEnum):
    """The origin of a deviation. `SOLVER` and `FORMULATION` count as wrong, `TOLERANCE` does not."""

    NONE = "none"
    SOLVER = "solver"
    FORMULATION = "formulation"
    TOLERANCE = "tolerance"


class Paper(StrEnum):
    """A paper whose tables and figures can be made, by the name of its suites."""

    PHAM2025 = "pham2025"
    CACCIOLA2024 = "cacciola2024"
    ROSENHAHN2023 = "rosenhahn2023"
