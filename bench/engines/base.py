"""What an engine does: it executes planned runs somewhere, and hands back each as it finishes.

    harness: plan, less what the ledger has -> engine: execute -> harness: the ledger

Execution is at least once, the ledger exactly once: a run may be handed back twice, or be executed again after its
engine was killed. What a run is like does not depend on its engine (`runs.execution`), and no engine knows the ledger.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeAlias

from vnnbench.runs.execution import FinishedRun
from vnnbench.runs.plan import PlannedRun

HandBack: TypeAlias = Callable[[FinishedRun], None]


class Engine(ABC):
    """Executes the runs of one plan. It is used while the ledger of the results folder is open for writing, so that no
    second engine works in that folder."""

    @abstractmethod
    def execute(self, planned: Sequence[PlannedRun], hand_back: HandBack) -> None:
        """Execute these runs, each at least once, and hand back each as it finishes, in any order.

        hand_back: is called in the thread that called `execute`, when the log and the candidates of the run are in
        their places in the results folder. What it raises ends the execution.
        On an exception, Ctrl-C among them, no run goes on, those that had finished are handed back, and the exception
        is raised. Raises `InputError`, `ResultsError`.
        """
