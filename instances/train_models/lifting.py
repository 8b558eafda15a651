"""Lifting: the exact value of every column of a training MILP's file at a network, and what the file violates there.

It works on the file as read, by the names of `columns`. In a file with rows order_I the neurons that are on at its
first sample come first, then the others that are used; and a file without a second output stands for the better of two
outputs and its complement. The network is brought into that form first, after which its objective may be smaller. All
numbers are integers over a power of two, so the decision whether a row holds is exact.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import ModelError
from vnnbench.instances.formulations.lifting import LiftedPoint
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.networks.exact_evaluation import to_integers
from vnnbench.instances.step_networks.exact_sums import Integers
from vnnbench.instances.step_networks.step_network import StepNetwork, evaluate, wrong_outputs
from vnnbench.instances.step_networks.train_property import TrainProperty
from vnnbench.instances.train_models.columns import ONE, complemented, split_name


class TrainLifter:
    """A model that is prepared for lifting."""

    def __init__(self, model: MilpModel, prop: TrainProperty) -> None:
        self.model, self._prop = model, prop
        self._places: dict[str, list[tuple[int, tuple[int, ...]]]] = {}
        for place, name in enumerate(model.column_names):
            letter, numbers = split_name(name)
            self._places.setdefault(letter, []).append((place, numbers))
        self._is_ordered = any(name.startswith("order_") for name in model.row_names)
        self._is_complement = prop.n_classes == 2 and "q_0_1" not in model.column_index()

    def lift(self, x: Float64Array) -> LiftedPoint:
        """Lift a network (n_parameters,) finite. Raises `ModelError` when a column has no known meaning."""
        columns, exponent = self._columns(self._in_form(x))
        data, data_exponent = _integers(self.model.data)
        rhs, rhs_exponent = _integers(self.model.rhs)
        activities = np.add.reduceat(data * columns[self.model.indices], self.model.indptr[:-1])
        excess, scale = _common(activities, exponent + data_exponent, rhs, rhs_exponent)
        senses = np.array(list(self.model.senses))
        rows = np.where(senses == "L", excess, np.where(senses == "G", -excess, abs(excess)))
        violated = [(self.model.row_names[r], Fraction(int(rows[r]), 1 << scale)) for r in np.flatnonzero(rows > 0)]
        violated += self._violated_columns(columns, exponent)
        objective, objective_exponent = _integers(self.model.objective)
        value = Fraction(int((objective * columns).sum()), 1 << (objective_exponent + exponent))
        largest = max((amount for _, amount in violated), default=Fraction(0))
        return LiftedPoint(tuple(name for name, _ in violated), largest, value + Fraction(self.model.offset))

    def _in_form(self, x: Float64Array) -> StepNetwork:
        """Return the network in the form that the file has."""
        network = StepNetwork.of_vector(self._prop, x)
        data = self._prop.training
        if self._is_complement:
            errors = wrong_outputs(evaluate(network, data).outputs, data).sum(axis=0)
            network = StepNetwork.of_vector(self._prop, complemented(self._prop, x, int(errors.argmin())))
        if self._is_ordered:
            first = min((numbers[0] for _, numbers in self._places.get("st", []) if numbers), default=0)
            steps = evaluate(network, data).steps
            order = np.lexsort((~steps.any(axis=0), ~steps[first]))
            network = StepNetwork(network.W[order], network.b[order], network.Q[order], network.c, network.epsilon)
        return network

    def _columns(self, network: StepNetwork) -> tuple[Integers, int]:
        """Return the columns as integers over 2**exponent."""
        found = evaluate(network, self._prop.training)
        parameters, exponent = _integers(network.vector())
        n, m, K = self._prop.neurons, self._prop.n_inputs, self._prop.n_classes
        w, b, q, c = np.split(parameters, np.cumsum([n * m, n, n * K]))
        q = q.reshape(n, K)
        scale = max(exponent, found.hidden.exponent, found.output.exponent)
        steps, outputs = found.steps.astype(object) * 1, found.outputs.astype(object) * 1
        wrong = wrong_outputs(found.outputs, self._prop.training).astype(object) * 1
        values: dict[str, tuple[Integers, int]] = {
            "w": (w.reshape(n, m), exponent),
            "b": (b, exponent),
            "q": (q, exponent),
            "bF": (c, exponent),
            "sp": (found.hidden.numerators, found.hidden.exponent),
            "st": (steps, 0),
            "p": (steps[:, :, None] * q, exponent),
            "spF": (found.output.numerators, found.output.exponent),
            "stF": (outputs, 0),
            "E": (wrong, 0),
            "KS": (found.steps.any(axis=0).astype(object) * 1, 0),
            "idle": ((network.c > network.epsilon / 2).astype(object) * 1, 0),
            ONE: (np.array(1, dtype=object), 0),
        }
        columns = np.zeros(self.model.n_columns, dtype=object)
        for letter, places in self._places.items():
            block, own = values.get(letter, (np.empty(0, dtype=object), 0))
            numbers = [numbers for _, numbers in places]
            if any(len(found) != block.ndim for found in numbers) or (block.size == 0):
                raise ModelError(f"{self.model.name}: column {self.model.column_names[places[0][0]]} is not known")
            index = tuple(np.array(part, dtype=np.int64) for part in zip(*numbers, strict=True))
            try:
                columns[[place for place, _ in places]] = block[index] << (scale - own)
            except IndexError as error:
                raise ModelError(f"{self.model.name}: a column {letter} is not about this problem") from error
        return columns, scale

    def _violated_columns(self, columns: Integers, exponent: int) -> list[tuple[str, Fraction]]:
        violated = []
        for ends, sign in ((self.model.lower, -1), (self.model.upper, 1)):
            finite = np.flatnonzero(np.isfinite(ends))
            limits, own = _integers(ends[finite])
            excess, scale = _common(columns[finite], exponent, limits, own)
            violated += [
                (self.model.column_names[finite[k]], Fraction(int(sign * excess[k]), 1 << scale))
                for k in np.flatnonzero(sign * excess > 0)
            ]
        one = 1 << exponent
        rest = columns[self.model.integer] % one
        for place, part in zip(np.flatnonzero(self.model.integer), rest, strict=True):
            if part:
                violated.append((self.model.column_names[place], Fraction(int(min(part, one - part)), one)))
        return violated


def _integers(values: Float64Array) -> tuple[Integers, int]:
    numbers, exponent = to_integers(values)
    return np.array(numbers, dtype=object), exponent


def _common(
    left: Integers, left_exponent: int, right: Integers, right_exponent: int
) -> tuple[npt.NDArray[np.object_], int]:
    """Return left - right as integers over 2**exponent."""
    exponent = max(left_exponent, right_exponent)
    return (left << (exponent - left_exponent)) - (right << (exponent - right_exponent)), exponent
