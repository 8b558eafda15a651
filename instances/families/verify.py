"""Family `verify`: is there an input in the set that one target class wins against the source class?

value(x) = y_target(x) - y_source(x), threshold 0. Source: [P] Pham et al. 2025, arXiv:2505.01985, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from instances.errors import PropertyError
from instances.exact import ExactNetwork, to_fraction
from instances.families.base import Decoder, DeployedValue, Problem
from instances.network import Float64Array
from instances.onnx_files import OnnxRuntime
from instances.property import VerifyProperty


class VerifyProblem(Problem):
    """A targeted verification problem; candidates are inputs x (n_0,)."""

    family = "verify"
    threshold = 0.0

    def __init__(self, prop: VerifyProperty) -> None:
        self.property = prop
        self.strict = prop.strict

    @property
    def centre(self) -> Float64Array:
        return self.property.input_set.centre

    def decoder(self, column_names: Sequence[str]) -> Decoder:
        """x_i, or x_i = centre_i + p_i - m_i; a pixel without a column stays at its centre."""
        places = _places(column_names, self.property.input_set.n_inputs)
        if not any(places.values()):
            raise PropertyError("the solution has none of the input columns x_i, p_i, m_i")
        index = {letter: np.array(found, dtype=np.int64).reshape(-1, 2).T for letter, found in places.items()}

        def decode(columns: Float64Array) -> Float64Array:
            x = self.centre.copy()
            (pixels, positions) = index["x"]
            x[pixels] = columns[positions]
            for letter, sign in (("p", 1.0), ("m", -1.0)):
                pixels, positions = index[letter]
                x[pixels] += sign * columns[positions]
            return x

        return decode

    def violation(self, candidate: Float64Array) -> Fraction:
        return self.property.input_set.violation(candidate)

    def repair(self, candidate: Float64Array) -> Float64Array | None:
        return self.property.input_set.repair(candidate)

    def evaluate(self, network: ExactNetwork, candidate: Float64Array) -> Fraction:
        numerators, exponent = network.integer_outputs(candidate)
        return to_fraction(numerators[self.property.target] - numerators[self.property.source], exponent)

    def evaluate_deployed(self, runtime: OnnxRuntime, candidate: Float64Array) -> DeployedValue:
        outputs = runtime.run(round_towards(candidate, self.centre))
        target = outputs[self.property.target]
        others = np.delete(outputs, self.property.target)
        value = float(target) - float(outputs[self.property.source])
        return DeployedValue(value, bool((target > others).all()))


def round_towards(x: Float64Array, centre: Float64Array) -> npt.NDArray[np.float32]:
    """x rounded to float32, each coordinate towards the centre, so that a point of the set stays in it.

    Exactly so where the centre is float32, as every data set's is; else the centre counts as its nearest float32.
    """
    rounded = x.astype(np.float32)
    rounded_up = rounded.astype(np.float64) - x  # only its sign counts, and that is exact
    beyond = np.where(x > centre, rounded_up > 0, rounded_up < 0)
    return np.where(beyond, np.nextafter(rounded, centre.astype(np.float32)), rounded)


def _places(column_names: Sequence[str], n_inputs: int) -> dict[str, list[tuple[int, int]]]:
    """(pixel, position) of every input column by its letter."""
    places: dict[str, list[tuple[int, int]]] = {"x": [], "p": [], "m": []}
    for position, name in enumerate(column_names):
        letter, _, number = name.partition("_")
        if letter in places and number.isdecimal() and int(number) < n_inputs:
            places[letter].append((int(number), position))
    return places
