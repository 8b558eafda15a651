"""The common base of the references for family `train`: networks to start from, each improved by a local search."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterator
from itertools import chain
from typing import ClassVar

from vnnbench.instances.properties.property_file import read_document
from vnnbench.instances.step_networks.step_network import parameter_shapes
from vnnbench.instances.step_networks.train_file import parse_train
from vnnbench.instances.step_networks.train_property import TrainProperty
from vnnbench.instances.train_models.columns import names
from vnnbench.references.inputs import PROPERTY_NAME
from vnnbench.references.reference import Reference, stop_reason
from vnnbench.references.step_neuron import SAME_COST
from vnnbench.references.step_search import Draft, StepSearch, empty_draft
from vnnbench.solvers.base import Incumbent, Listener, SolveRequest, SolveResult, Termination

Stopped = Callable[[], bool]


class StepTrainer(Reference):
    """A heuristic that trains networks of step functions. It reports each network that is better than all before.

    Every network is feasible, and its objective is computed in float64. The same seed reports the same networks in the
    same order, as far as time allows.
    """

    data_parts: ClassVar[tuple[str, ...]] = ()
    families: ClassVar[tuple[str, ...]] = (TrainProperty.family,)

    @abstractmethod
    def drafts(self, prop: TrainProperty, request: SolveRequest, stopped: Stopped) -> Iterator[Draft]:
        """Yield the networks to start from; yield none after a stop."""

    def solve(self, request: SolveRequest, listener: Listener) -> SolveResult:
        started = time.monotonic()
        prop = read_document(request.model_path.parent / PROPERTY_NAME, parse_train)
        listener.on_columns(_column_names(prop))
        read_seconds = time.monotonic() - started
        reason: Termination | None = None

        def stopped() -> bool:
            nonlocal reason
            reason = reason or stop_reason(listener, started + request.time_limit_seconds)
            return reason is not None

        search, best, done = StepSearch(prop, request.seed), math.inf, 0
        for draft in chain([empty_draft(prop)], self.drafts(prop, request, stopped)):
            found = search.improve(draft, stopped)
            if found is not None and found[1] < best - SAME_COST:
                network, best = found
                listener.on_incumbent(Incumbent(best, array("d", network.vector().tobytes())))
            if stopped():
                break
            done += 1
        return SolveResult(
            termination=reason or Termination.SOLUTION_FOUND,
            raw_status=f"{done} starts",
            primal_bound=best if best < math.inf else None,
            dual_bound=None,
            columns=None,
            nodes=None,
            read_seconds=read_seconds,
            wall_seconds=time.monotonic() - started,
        )


def _column_names(prop: TrainProperty) -> list[str]:
    """Return the names of a candidate's numbers (`StepNetwork.vector`), which are those of the model's columns."""
    return [name for letter, shape in parameter_shapes(prop).items() for name in names(letter, *map(range, shape))]
