"""The reader of a graph: what each node gives, from the operators of `arithmetic`, `windows`, `piecewise_linear` and
`movement`, and in the end the network.

A new operator is a function in one of these modules and an entry in its table; one that only moves numbers is a case
of `movement.move_of` and a name in `_MOVES`. Nothing is rounded: what float64 cannot hold stays apart, as a divisor or
as a layer of its own.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import LayeredNetwork
from vnnbench.instances.onnx_files import constant_folding, movement
from vnnbench.instances.onnx_files.affine_maps import MAX_VALUES
from vnnbench.instances.onnx_files.arithmetic import ARITHMETIC
from vnnbench.instances.onnx_files.graph import Graph, Node, checked_array
from vnnbench.instances.onnx_files.layering import layered
from vnnbench.instances.onnx_files.operations import Operands, Operations
from vnnbench.instances.onnx_files.piecewise_linear import PIECEWISE_LINEAR
from vnnbench.instances.onnx_files.tensors import Constant, Operand, Tensor, constant
from vnnbench.instances.onnx_files.windows import WINDOWS

OPERATORS = {**ARITHMETIC, **WINDOWS, **PIECEWISE_LINEAR}
"""The operators that compute, by name."""
_MOVES = (
    "Concat", "Dropout", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Slice", "Split", "Squeeze",
    "Tile", "Transpose", "Unsqueeze",
)  # fmt: skip
SUPPORTED = tuple(sorted((*OPERATORS, *_MOVES)))
"""Operators that may stand on the way from the input to the output."""
_REFUSALS = (
    (
        "is not piecewise linear; train the network with Relu, LeakyRelu or Clip in its place",
        "Celu Cos Elu Erf Exp Gelu HardSwish Log Mish Pow Reciprocal ReduceL2 ReduceLogSumExp Selu Sin Softplus "
        "Softsign Sqrt Swish Tanh",
    ),
    (
        "is not piecewise linear; it is cut off at the end of a classifier, but cannot be read inside a network",
        "ArgMax LogSoftmax Sigmoid Softmax",
    ),
    (
        "is not piecewise linear; train the network with BatchNormalization in its place",
        "GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization",
    ),
    ("is not piecewise linear; only networks without recurrence and attention are read", "Attention GRU LSTM RNN"),
    (
        "is not supported, since its values may jump; train the network with Max, Min or Clip in its place",
        "Ceil Floor Greater GreaterOrEqual Less LessOrEqual Round Sign Where",
    ),
    (
        "is not supported; export the network before it is quantized",
        "ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear",
    ),
    (
        "is not supported; export the network without control flow, for one sample of fixed shape",
        "If Loop NonZero Scan SequenceAt SequenceConstruct",
    ),
    (
        "is not supported; export the network for inference",
        "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike",
    ),
)
_REFUSAL_OF = {operator: refusal for refusal, operators in _REFUSALS for operator in operators.split()}
"""Why an operator is refused, and what would help, where that is known; none of these is in `SUPPORTED`."""


class GraphReader:
    """A walk through a graph, node by node: what every name stands for, and the blocks so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        n_inputs = math.prod(graph.shape)
        if n_inputs > MAX_VALUES:
            raise NetworkError(f"takes {n_inputs} values, more than {MAX_VALUES}, the most that is read")
        self.operations = Operations(n_inputs)
        self.known: dict[str, Operand] = {graph.input_name: Tensor(graph.shape, self.operations.blocks.input())}
        self._uses: dict[str, int] = {}

    def read(self) -> tuple[Tensor, LayeredNetwork]:
        """Return the graph's output and its network. Raises `NetworkError`, which names the node."""
        nodes = list(self.graph.nodes())
        for node in nodes:
            for name in node.inputs:
                self._uses[name] = self._uses.get(name, 0) + 1
        for node in nodes:
            results = self._read(node, [self._operand(node, name) if name else None for name in node.inputs])
            for name, result in zip(node.outputs, results, strict=False):
                if name in self.known or self.graph.constant(name) is not None:
                    raise node.misfit(f"gives {name!r}, which is there already")
                if 0 in result.shape and isinstance(result, Tensor):
                    raise node.misfit("gives no values")
                if isinstance(result, Tensor) and self._uses.get(name, 0) > 1:
                    result = Tensor(result.shape, self.operations.blocks.shared(result.value))
                self.known[name] = result
        output = self.known.get(self.graph.output_name)
        if not isinstance(output, Tensor):
            raise NetworkError(
                f"gives the output {self.graph.output_name!r}, which does not depend on its input; export it again"
            )
        return output, layered(self.operations.blocks, output.value)

    def _operand(self, node: Node, name: str) -> Operand:
        if name not in self.known:
            array = self.graph.constant(name)
            if array is None:
                raise node.misfit(f"takes {name!r}, which no node before it gives")
            self.known[name] = constant(array, name, self.graph.float_types)
        return self.known[name]

    def _read(self, node: Node, operands: Operands) -> list[Operand]:
        """Return what a node gives; outputs beyond are those of a training run, and nothing may take them."""
        given = [operand for operand in operands if operand is not None]
        if node.operator == "Constant":
            return [_constant(node, self.graph.float_types)]
        if node.operator in ("Shape", "Size"):
            return constant_folding.shape_facts(node, given[0] if given else None)
        if given and all(isinstance(operand, Constant) for operand in given):
            folded = constant_folding.fold(node, operands)
            if folded is not None:
                return folded
        if node.operator in ("Concat", "Split"):
            return self._concat(node, given) if node.operator == "Concat" else self._split(node, operands)
        first = operands[0] if operands else None
        if isinstance(first, Tensor) and (move := movement.move_of(node, operands, first.shape)) is not None:
            places = move(first.places())
            kept = places.size == first.value.n and (places.ravel() == np.arange(places.size)).all()
            return [first.reshaped(places.shape) if kept else first.pick(places)]
        operator = OPERATORS.get(node.operator)
        if operator is None:
            unknown = f"is not supported; supported are {', '.join(SUPPORTED)}"
            raise node.fail(_REFUSAL_OF.get(node.operator, unknown))
        return [operator(self.operations, node, operands)]

    def _concat(self, node: Node, operands: Sequence[Operand]) -> list[Operand]:
        axis = movement.concat_axis(node, [operand.shape for operand in operands])
        values, places, start = [], [], 0
        for operand in operands:
            tensor = self.operations.tensor(operand)
            values.append(tensor.value)
            places.append(tensor.places() + start)
            start += tensor.value.n
        return [Tensor((start,), self.operations.blocks.stack(values)).pick(np.concatenate(places, axis=axis))]

    def _split(self, node: Node, operands: Operands) -> list[Operand]:
        first = self.operations.first(node, operands)
        axis, cuts = movement.split_sizes(node, operands, first.shape)
        return [first.pick(places) for places in np.split(first.places(), cuts, axis=axis)]


def _constant(node: Node, float_types: Collection[np.dtype[Any]]) -> Constant:
    """Return the constant of a Constant node, in any of its forms but sparse and text."""
    if len(node.attributes) != 1 or len(node.outputs) != 1:
        raise node.misfit("does not hold one constant")
    ((form, value),) = node.attributes.items()
    match form:
        case "value":
            return constant(checked_array(value), node.outputs[0], float_types)
        case "value_float" | "value_floats":
            return Constant(np.array(value, dtype=np.float32).astype(np.float64))
        case "value_int" | "value_ints":
            return Constant(np.array(value, dtype=np.int64))
        case _:
            raise node.fail(f"holds a {form}, which is not supported; export it as an array of numbers")
