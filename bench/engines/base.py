"""The interface of engines: an engine executes planned runs and hands back each as it finishes.

    harness: plan, less what the ledger has -> engine: execute -> harness: the ledger

A run is executed at least once and stored exactly once: it may be handed back twice, or be executed again after its
engine was killed. How a run is executed does not depend on the engine (`runs.execution`), and engines do not use the
ledger.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeAlias

from vnnbench.runs.execution import FinishedRun
from vnnbench.runs.plan import PlannedRun

HandBack: TypeAlias = Callable[[FinishedRun], None]


class Engine(ABC):
    """An executor of planned runs. It is used while the ledger of the results folder is open for writing, so that no
    second engine works in that folder."""

    @abstractmethod
    def execute(self, planned: Sequence[PlannedRun], hand_back: HandBack) -> None:
        """Execute these runs, each at least once, and hand back each as it finishes, in any order.

        hand_back: is called in the thread that called `execute`, when the log and the candidates of the run are in
        their places in the results folder. An exception that it raises ends the execution.
        On any exception, including Ctrl-C, all runs are stopped, those that have finished are handed back, and the
        exception is raised. Raises `InputError`, `ResultsError`.
        """
