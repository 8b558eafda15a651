"""What the families over an input set have in common: candidates are inputs, judged by a goal on the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.families.base import Decoder, Fact, Problem
from vnnbench.instances.formulations.input_columns import parse_input_column
from vnnbench.instances.networks.exact import ExactNetwork
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.properties.property import Property


class OverInputSet(Problem):
    """A problem on an input set; candidates are inputs x (n_0,), value(x) is that of the goal at y(x)."""

    def __init__(self, prop: Property) -> None:
        self.input_set, self.goal = prop.input_set, prop.goal
        self._facts: dict[str, Fact] = {
            "dataset": prop.dataset,
            "norm": prop.input_set.norm.value,
            "radius": prop.input_set.radius,
            "sample": prop.sample,
        }

    @property
    def centre(self) -> Float64Array:
        return self.input_set.centre

    def facts(self) -> dict[str, Fact]:
        return {**super().facts(), **self._facts}

    def decoder(self, column_names: Sequence[str]) -> Decoder:
        """x (n_0,) by the names of the input columns, see `input_columns`; a pixel without one stays at its centre."""
        found = [(place, parse_input_column(name)) for place, name in enumerate(column_names)]
        columns = [(place, column) for place, column in found if column and column.pixel < self.input_set.n_inputs]
        if not columns:
            raise PropertyError("the solution has none of the input columns x_i, p_i, m_i")
        # Up before down, in whatever order the names come: the same bits for every order of a file's columns.
        steps = sorted((found for found in columns if found[1].from_centre), key=lambda step: -step[1].sign)
        plain = [(place, column.pixel) for place, column in columns if not column.from_centre]
        places, pixels = np.array(plain, dtype=np.int64).reshape(-1, 2).T
        step_places = np.array([place for place, _ in steps], dtype=np.int64)
        step_pixels = np.array([column.pixel for _, column in steps], dtype=np.int64)
        units = np.array([column.sign * column.unit for _, column in steps])

        def decode(values: Float64Array) -> Float64Array:
            x = self.centre.copy()
            x[pixels] = values[places]
            np.add.at(x, step_pixels, units * values[step_places])
            return x

        return decode

    def columns_read(self, column_names: Sequence[str]) -> frozenset[str]:
        return frozenset(name for name in column_names if parse_input_column(name) is not None)

    def violation(self, candidate: Float64Array) -> Fraction:
        return self.input_set.violation(candidate)

    def repair(self, candidate: Float64Array) -> Float64Array | None:
        return self.input_set.repair(candidate)

    def evaluate(self, network: ExactNetwork, candidate: Float64Array) -> Fraction | None:
        return self.replay(network, candidate)

    def replay(self, network: ExactNetwork, candidate: Float64Array) -> Fraction:
        return self.goal_value(network, candidate)

    def goal_value(self, network: ExactNetwork, candidate: Float64Array) -> Fraction:
        """The goal's value on a network, exactly. Raises `PropertyError` when the network has not the property's inputs
        and outputs."""
        last = max(k for atom in self.goal.atoms for k, _ in atom.terms)
        if network.n_inputs != self.input_set.n_inputs or network.n_outputs <= last:
            raise PropertyError(
                f"the property is about {self.input_set.n_inputs} inputs and output {last}, the network has "
                f"{network.n_inputs} inputs and outputs up to {network.n_outputs - 1}"
            )
        return self.goal.value(network.outputs(candidate))

    def outputs_deployed(self, runtime: OnnxRuntime, candidate: Float64Array) -> tuple[Float32Array, float]:
        """y (n_L,) by float32 arithmetic on the candidate rounded to float32 within the set, and the goal's value."""
        outputs = runtime.run(round_towards(candidate, self.centre))
        return outputs, self.goal.float_value(outputs.tolist())


def beats_all(outputs: Float32Array, targets: Sequence[int]) -> bool:
    """Whether some target's output exceeds that of every other class."""
    best = max(targets, key=lambda k: outputs[k])
    return bool((outputs[best] > np.delete(outputs, best)).all())


def round_towards(x: Float64Array, centre: Float64Array) -> npt.NDArray[np.float32]:
    """x rounded to float32, each coordinate towards the centre, so that a point of the set stays in it.

    Exactly so where the centre is float32, as every data set's is; else the centre counts as its nearest float32.
    """
    rounded = x.astype(np.float32)
    rounded_up = rounded.astype(np.float64) - x  # only its sign counts, and that is exact
    beyond = np.where(x > centre, rounded_up > 0, rounded_up < 0)
    return np.where(beyond, np.nextafter(rounded, centre.astype(np.float32)), rounded)
