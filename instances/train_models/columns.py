"""The names of columns and rows of a training MILP, and the decoding of its solutions.

    w_I_J  b_I      weight of input J and bias of hidden neuron I, which are sought
    q_I_K  bF_K     output weight of neuron I and bias of output K, which are sought
    sp_T_I  st_T_I  pre-activation and step of neuron I at training sample T
    p_T_I_K         the product st_T_I q_I_K
    spF_T_K  stF_T_K  pre-activation and step of output K
    E_T_K           the error of output K, 0 or 1
    KS_I            1 if neuron I is used
    idle_K          the step of output K at samples where no neuron is active
    one             the constant 1, for errors that no network avoids

All are counted from 0. A weight without a column is 0. With two classes the second output may have none: then it is the
complement of the first, q_I_1 = -q_I_0 and bF_1 = eps - bF_0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import lt

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.step_networks.step_network import StepNetwork, n_parameters, parameter_blocks
from vnnbench.instances.step_networks.train_property import TrainProperty

Indices = npt.NDArray[np.int64]
ONE = "one"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


def names(letter: str, *numbers: Sequence[int] | npt.NDArray[np.int64]) -> list[str]:
    """Return the names of a block of columns or rows, the last number running fastest."""
    found = [letter]
    for part in numbers:
        texts = [f"_{i}" for i in part]
        found = [prefix + text for prefix in found for text in texts]
    return found


def split_name(name: str) -> tuple[str, tuple[int, ...]]:
    """Return letter and numbers of a column's name; no numbers if it is none of these names."""
    letter, *numbers = name.split("_")
    if not all(_NUMBER.fullmatch(number) for number in numbers):
        return name, ()
    return letter, tuple(map(int, numbers))


class NetworkDecoder:
    """A decoder of solutions, whose columns have these names, to candidates (n_parameters,).

    Raises `PropertyError` when the names do not cover a network.
    """

    def __init__(self, prop: TrainProperty, column_names: Sequence[str]) -> None:
        self._prop = prop
        self._size = n_parameters(prop)
        positions = parameter_blocks(prop, np.arange(self._size))
        found = {letter: np.zeros(block.shape, dtype=bool) for letter, block in positions.items()}
        places, parameters = [], []
        self.read: set[str] = set()
        for place, name in enumerate(column_names):
            letter, numbers = split_name(name)
            block = positions.get(letter)
            if block is None or len(numbers) != block.ndim or not all(map(lt, numbers, block.shape)):
                continue
            found[letter][numbers] = True
            places.append(place)
            parameters.append(block[numbers])
            self.read.add(name)
        self._places, self._parameters = np.array(places, dtype=np.int64), np.array(parameters, dtype=np.int64)
        self._complement = prop.n_classes == 2 and not found["q"][:, 1].any() and not found["bF"][1]
        outputs = slice(0, 1) if self._complement else slice(None)
        if not (found["b"].all() and found["q"][:, outputs].all() and found["bF"][outputs].all()):
            raise PropertyError("the solution lacks some of the network's columns b_I, q_I_K and bF_K")

    def __call__(self, columns: Float64Array) -> Float64Array:
        vector = np.zeros(self._size)
        vector[self._parameters] = columns[self._places]
        if not self._complement:
            return vector
        return complemented(StepNetwork.of_vector(self._prop, vector), 0).vector()


def complemented(network: StepNetwork, kept: int) -> StepNetwork:
    """Return the network of two classes whose other output is the complement of the kept one."""
    Q, c = network.Q.copy(), network.c.copy()
    Q[:, 1 - kept] = -Q[:, kept]
    c[1 - kept] = network.epsilon - c[kept]
    return StepNetwork(network.W, network.b, Q, c, network.epsilon)
