"""The words of a judged run (DESIGN 2), and the error of a ledger that cannot be used. No pandas."""

from __future__ import annotations

from enum import StrEnum

from vnnbench.common.text import message_line


class LedgerError(Exception):
    """The ledger cannot be used; the message says which file and why, in one line that can be printed, whatever SQLite
    quotes of the file."""

    def __init__(self, message: str) -> None:
        super().__init__(message_line(message))


class EndedBy(StrEnum):
    """What the harness did to end the run."""

    SOLVER = "solver"
    JUDGE = "judge"
    TIME = "time"
    CPU = "cpu"
    MEMORY = "memory"
    OUTPUT = "output"
    CRASH = "crash"
    OPERATOR = "operator"


class Enforcement(StrEnum):
    """How the limits of a run were held.

    NAMESPACE: in a PID namespace; the kernel ends every process in it with its first one, and that with the harness.
    SUBREAPER: what the run leaves behind falls to a process that looks for it and kills it. PROCESS_GROUP: of older
    ledgers, the process group and the descendants that were seen.
    """

    NAMESPACE = "namespace"
    SUBREAPER = "subreaper"
    PROCESS_GROUP = "process-group"


class Counted(StrEnum):
    """What counted a run's processor time and memory.

    CGROUP: the kernel, in a control group of the run's own. CGROUP_CPU: so the processor time; the memory by looking at
    its processes every now and then. SAMPLING: both by looking.
    """

    CGROUP = "cgroup"
    CGROUP_CPU = "cgroup-cpu"
    SAMPLING = "sampling"


class Verdict(StrEnum):
    """What is known about the problem, on the dense network, from this run."""

    ADVERSARIAL = "adversarial"
    ROBUST = "robust"
    VALUE = "value"
    UNKNOWN = "unknown"


class Evidence(StrEnum):
    """What the verdict rests on."""

    EXACT = "exact"
    REPAIRED = "repaired"
    CERTIFICATE = "certificate"
    CLAIMED = "claimed"
    NONE = "none"


class Fault(StrEnum):
    """Who was wrong. `SOLVER` and `FORMULATION` are called wrong; `TOLERANCE` is shown, never ranked down."""

    NONE = "none"
    SOLVER = "solver"
    FORMULATION = "formulation"
    TOLERANCE = "tolerance"


class Paper(StrEnum):
    """A paper whose tables and figures can be made, by the name of its suites."""

    PHAM2025 = "pham2025"
    CACCIOLA2024 = "cacciola2024"
