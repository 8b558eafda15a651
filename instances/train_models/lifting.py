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
from vnnbench.instances.step_networks.step_network import (
    StepNetwork,
    evaluate,
    parameter_blocks,
    parameter_shapes,
    wrong_outputs,
)
from vnnbench.instances.step_networks.train_property import TrainProperty
from vnnbench.instances.train_models.columns import ONE, Indices, complemented, split_name


class TrainLifter:
    """A model that is prepared for lifting. Raises `ModelError` when a column has no known meaning."""

    def __init__(self, model: MilpModel, prop: TrainProperty) -> None:
        self.model, self._prop = model, prop
        numbers: dict[str, list[tuple[int, ...]]] = {}
        places: dict[str, list[int]] = {}
        for place, name in enumerate(model.column_names):
            letter, found = split_name(name)
            numbers.setdefault(letter, []).append(found)
            places.setdefault(letter, []).append(place)
        shapes = _shapes(prop)
        self._blocks: dict[str, tuple[Indices, tuple[Indices, ...]]] = {}
        for letter, own in places.items():
            shape = shapes.get(letter)
            if shape is None or any(len(of_one) != len(shape) for of_one in numbers[letter]):
                raise ModelError(f"{model.name}: column {model.column_names[own[0]]} has no known meaning")
            index = np.array(numbers[letter], dtype=np.int64).reshape(len(own), len(shape))
            if (index >= np.array(shape, dtype=np.int64)).any():
                raise ModelError(f"{model.name}: a column {letter} is not about this problem")
            self._blocks[letter] = (np.array(own, dtype=np.int64), tuple(index.T))
        self._is_ordered = any(name.startswith("order_") for name in model.row_names)
        self._is_complement = prop.n_classes == 2 and "q_0_1" not in model.column_index()
        self._data, self._rhs, self._objective = map(_integers, (model.data, model.rhs, model.objective))

    def lift(self, x: Float64Array) -> LiftedPoint:
        """Lift a network (n_parameters,) finite."""
        network = self._in_form(StepNetwork.of_vector(self._prop, x))
        columns, exponent = self._columns(network)
        rows, scale = self._excess_of_rows(columns, exponent)
        violated = [(self.model.row_names[r], Fraction(int(rows[r]), 1 << scale)) for r in np.flatnonzero(rows > 0)]
        violated += self._violated_columns(columns, exponent) + self._missing_weights(network)
        objective, objective_exponent = self._objective
        value = Fraction(int((objective * columns).sum()), 1 << (objective_exponent + exponent))
        largest = max((amount for _, amount in violated), default=Fraction(0))
        names = tuple(name for name, _ in violated)
        return LiftedPoint(names, largest, value + Fraction(self.model.offset), network.vector())

    def _in_form(self, network: StepNetwork) -> StepNetwork:
        """Return the network in the form that the file has."""
        if not (self._is_complement or self._is_ordered):
            return network
        data = self._prop.training
        found = evaluate(network, data)
        if self._is_complement:
            network = complemented(network, int(wrong_outputs(found.outputs, data).sum(axis=0).argmin()))
        if self._is_ordered:
            samples = self._blocks["st"][1][0] if "st" in self._blocks else np.zeros(1, dtype=np.int64)
            order = np.lexsort((~found.steps.any(axis=0), ~found.steps[samples.min()]))
            network = StepNetwork(network.W[order], network.b[order], network.Q[order], network.c, network.epsilon)
        return network

    def _missing_weights(self, network: StepNetwork) -> list[tuple[str, Fraction]]:
        """Return the weights that have no column, so they are 0 in the file, but not in the network."""
        missing = network.W != 0
        if "w" in self._blocks:
            missing[self._blocks["w"][1]] = False
        return [(f"w_{i}_{j}", abs(Fraction(float(network.W[i, j])))) for i, j in np.argwhere(missing).tolist()]

    def _columns(self, network: StepNetwork) -> tuple[Integers, int]:
        """Return the columns as integers over 2**exponent."""
        found = evaluate(network, self._prop.training)
        parameters, exponent = _integers(network.vector())
        blocks = parameter_blocks(self._prop, parameters)
        scale = max(exponent, found.hidden.exponent, found.output.exponent)
        steps, outputs = found.steps.astype(object) * 1, found.outputs.astype(object) * 1
        wrong = wrong_outputs(found.outputs, self._prop.training).astype(object) * 1
        values: dict[str, tuple[Integers, int]] = {
            **{letter: (block, exponent) for letter, block in blocks.items()},
            "sp": (found.hidden.numerators, found.hidden.exponent),
            "st": (steps, 0),
            "p": (steps[:, :, None] * blocks["q"], exponent),
            "spF": (found.output.numerators, found.output.exponent),
            "stF": (outputs, 0),
            "E": (wrong, 0),
            "KS": (found.steps.any(axis=0).astype(object) * 1, 0),
            "idle": ((network.c > network.epsilon / 2).astype(object) * 1, 0),
            ONE: (np.array(1, dtype=object), 0),
        }
        columns = np.zeros(self.model.n_columns, dtype=object)
        for letter, (places, index) in self._blocks.items():
            block, own = values[letter]
            columns[places] = block[index] << (scale - own)
        return columns, scale

    def _excess_of_rows(self, columns: Integers, exponent: int) -> tuple[Integers, int]:
        """Return by how much each row is violated, as integers over a power of two; those that hold are not above 0."""
        model, (data, data_exponent), (rhs, rhs_exponent) = self.model, self._data, self._rhs
        activities, filled = np.zeros(model.n_rows, dtype=object), np.diff(model.indptr) > 0
        if filled.any():  # `reduceat` takes an empty row for its next entry
            terms = data * columns[model.indices]
            activities[filled] = np.add.reduceat(terms, model.indptr[:-1][filled])
        excess, scale = _common(activities, exponent + data_exponent, rhs, rhs_exponent)
        senses = np.array(list(model.senses))
        return np.where(senses == "L", excess, np.where(senses == "G", -excess, abs(excess))), scale

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


def _shapes(prop: TrainProperty) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all blocks of columns."""
    T, n, K = prop.training.n_samples, prop.neurons, prop.n_classes
    return {
        **parameter_shapes(prop),
        "sp": (T, n),
        "st": (T, n),
        "p": (T, n, K),
        "spF": (T, K),
        "stF": (T, K),
        "E": (T, K),
        "KS": (n,),
        "idle": (K,),
        ONE: (),
    }


def _integers(values: Float64Array) -> tuple[Integers, int]:
    numbers, exponent = to_integers(values)
    return np.array(numbers, dtype=object), exponent


def _common(
    left: Integers, left_exponent: int, right: Integers, right_exponent: int
) -> tuple[npt.NDArray[np.object_], int]:
    """Return left - right as integers over 2**exponent."""
    exponent = max(left_exponent, right_exponent)
    return (left << (exponent - left_exponent)) - (right << (exponent - right_exponent)), exponent
