"""The common base of families over an input set: candidates are inputs, judged by a goal on the outputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.families.base import (
    Decoder,
    DeployedValue,
    Evaluator,
    Evaluators,
    Fact,
    InstanceNames,
    NetworkOutputs,
    Problem,
)
from vnnbench.instances.formulations.input_columns import parse_input_column
from vnnbench.instances.formulations.lifting import Lifter
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.layout import network_file
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.reader import parse_onnx
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.properties.property import Property
from vnnbench.instances.properties.property_file import parse_property


class OverInputSet(Problem):
    """A problem over an input set; candidates are inputs x (n_0,), and value(x) is the goal's value at y(x).

    optimum_text: a phrase for its largest value.
    """

    candidate_text = "an input"
    optimum_text: ClassVar[str] = "the largest value"
    catalog_columns = ("network", "dense_network", "stable_active", "stable_inactive", "unstable")

    def __init__(self, prop: Property) -> None:
        self.property, self.input_set, self.goal = prop, prop.input_set, prop.goal
        self._facts: dict[str, Fact] = {
            "dataset": prop.dataset,
            "norm": prop.input_set.norm.value,
            "radius": prop.input_set.radius,
            "sample": prop.sample,
        }

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> Self:
        return cls(parse_property(document))

    @classmethod
    def data_files(cls, names: InstanceNames) -> dict[str, str]:
        """Return the files of the instance's own network and of the problem's dense network."""
        if names.network is None or names.dense_network is None:
            raise PropertyError(f"an instance of family {cls.family} needs a network and a dense network")
        return {"network": network_file(names.network), "dense_network": network_file(names.dense_network)}

    def evaluators(self, data: Mapping[str, bytes]) -> Evaluators:
        """Return evaluators on the dense network and on the instance's own network. Raises `NetworkError`."""
        original = NetworkEvaluator(self, data["dense_network"], "dense network")
        if data["network"] == data["dense_network"]:
            return Evaluators(original, original)
        return Evaluators(original, NetworkEvaluator(self, data["network"], "own network"))

    def lifter(self, model: MilpModel) -> Lifter:
        return Lifter(model, self.input_set)

    def question(self) -> str:
        return f"{self.asked()}, over {self.input_set.text()}"

    @abstractmethod
    def asked(self) -> str:
        """Return what the problem asks of the outputs y, in words."""

    @property
    def centre(self) -> Float64Array:
        return self.input_set.centre

    def facts(self) -> dict[str, Fact]:
        return {**super().facts(), **self._facts}

    def decoder(self, column_names: Sequence[str]) -> Decoder:
        """Return a decoder to x (n_0,) by the names of the input columns (`input_columns`).

        A pixel without a column stays at its centre; if the set is a single point, none has one.
        """
        found = [(place, parse_input_column(name)) for place, name in enumerate(column_names)]
        columns = [(place, column) for place, column in found if column and column.pixel < self.input_set.n_inputs]
        if not columns and self.input_set.free.any():
            raise PropertyError("the solution has none of the input columns x_i, p_i, m_i")
        # Steps up before steps down, whatever the order of the names: the same bits for every order of the columns.
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
        """Return `Evaluator.value` on a network."""
        return self.replay(network, candidate)

    def reach(self, network: ExactNetwork, point: Float64Array) -> tuple[Float64Array, Fraction]:
        """Return `Evaluator.reach` on a network."""
        return point, Fraction(0)

    def replay(self, network: ExactNetwork, candidate: Float64Array) -> Fraction:
        """Return `Evaluator.replay` on a network."""
        return self.goal_value(network, candidate)

    @abstractmethod
    def evaluate_deployed(self, runtime: OnnxRuntime, candidate: Float64Array) -> DeployedValue:
        """Return `Evaluator.deployed` on a network."""

    def centre_value(self, network: ExactNetwork) -> float | None:
        """Return the value of a network at the centre, exact, then rounded to float64; None where it has none."""
        value = self.evaluate(network, self.centre)
        return None if value is None else float(value)

    def goal_value(self, network: ExactNetwork, candidate: Float64Array) -> Fraction:
        """Return the goal's value on a network, exactly.

        Raises `PropertyError` when the network does not have the property's inputs and outputs.
        """
        self.check_fit(network.n_inputs, network.n_outputs)
        return self.goal.value(network.outputs(self.input_set.point(candidate)))

    def check_fit(self, n_inputs: int, n_outputs: int) -> None:
        """Raise `PropertyError` when a network of this size does not have the property's inputs and outputs."""
        last = self.goal.last_output
        if n_inputs != self.input_set.n_inputs or n_outputs <= last:
            raise PropertyError(
                f"the property is about {self.input_set.n_inputs} inputs and output {last}, but the network has "
                f"{n_inputs} inputs and outputs up to {n_outputs - 1}"
            )

    def outputs_deployed(self, runtime: OnnxRuntime, candidate: Float64Array) -> tuple[Float32Array, float]:
        """Return y (n_L,) as deployed, at the candidate rounded within the set, and its value."""
        outputs = runtime.run(self.rounded(candidate, runtime))
        return outputs, self.goal.float_value(outputs.tolist())

    def rounded(self, candidate: Float64Array, runtime: OnnxRuntime) -> Float32Array:
        """Return the network's input at a candidate, rounded within the set to the type that it is deployed with."""
        return round_towards(self.input_set.nearest(candidate), self.centre, runtime.point_type)


class NetworkEvaluator(Evaluator):
    """The values of a problem over an input set on one network."""

    def __init__(self, problem: OverInputSet, data: bytes, source: str) -> None:
        """Read the ONNX file `data`; `source` names it in errors. Raises `NetworkError`."""
        self.network = ExactNetwork(parse_onnx(data, source))
        self._problem, self._data, self._source = problem, data, source
        self._runtime: OnnxRuntime | None = None

    def prepare(self) -> None:
        self._deployed_network()

    def value(self, candidate: Float64Array) -> Fraction | None:
        return self._problem.evaluate(self.network, candidate)

    def reach(self, point: Float64Array) -> tuple[Float64Array, Fraction]:
        return self._problem.reach(self.network, point)

    def replay(self, candidate: Float64Array) -> Fraction:
        return self._problem.replay(self.network, candidate)

    def deployed(self, candidate: Float64Array) -> DeployedValue:
        return self._problem.evaluate_deployed(self._deployed_network(), candidate)

    def outputs(self, point: Float64Array) -> NetworkOutputs:
        runtime = self._deployed_network()
        float32 = runtime.run(self._problem.rounded(point, runtime))
        return NetworkOutputs(self.network.outputs(self._problem.input_set.point(point)), float32)

    def _deployed_network(self) -> OnnxRuntime:
        if self._runtime is None:
            self._runtime = OnnxRuntime(self._data, self._source)
        return self._runtime


def beats_all(outputs: Float32Array, targets: Sequence[int]) -> bool:
    """Return whether some target's output exceeds that of every other class."""
    best = max(targets, key=lambda k: outputs[k])
    return bool((outputs[best] > np.delete(outputs, best)).all())


def round_towards(x: Float64Array, centre: Float64Array, to: npt.DTypeLike = np.float32) -> npt.NDArray[np.float32]:
    """Return x rounded to float32 or float16, each coordinate towards the centre, so that a point of the set stays in
    it.

    This holds exactly if the centre has that type, as in every data set; else the centre counts as its nearest number.
    """
    with np.errstate(over="ignore"):  # beyond float16 the next number towards the centre is the largest
        rounded, middle = x.astype(to), centre.astype(to)
    rounded_up = rounded.astype(np.float64) - x  # only the sign is used, which is exact
    beyond = np.where(x > centre, rounded_up > 0, rounded_up < 0)
    return np.where(beyond, np.nextafter(rounded, middle), rounded).astype(np.float32)
