"""The graph of an ONNX file as a chain of nodes, without the meaning of the operators.

A file may come from anywhere and is not trusted: everything that the result depends on is checked, and anything unknown
is an error. References to data outside the file are never followed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import NetworkError

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

OLDEST_OPSET = 7
"""The oldest opset whose operators broadcast as in NumPy, and normalize by the running mean if they have one output."""

SUPPORTED = (
    "supported are Gemm, MatMul, Conv, AveragePool, BatchNormalization, Add, Sub, Mul and Div of a constant, Relu, "
    "Flatten and Reshape, in one chain"
)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operator of the chain.

    label: its name in errors. operands: its inputs in order; None for the chain's own value, and for an optional one
    that is left out. place: the position of the chain's value.
    """

    label: str
    operator: str
    operands: tuple[TensorProto | None, ...]
    place: int
    attributes: dict[str, Any]

    def take(self, **allowed: tuple[object, ...] | type) -> dict[str, Any]:
        """Return the attributes; each must be in `allowed`, with a value or of a type given there (list: of integers).

        Raises `NetworkError`.
        """
        for name, value in self.attributes.items():
            known = allowed.get(name, ())
            integers = [n for n in value if type(n) is int] if isinstance(value, list) else []
            if known is list:
                fits = integers == value
            else:
                fits = type(value) is known if isinstance(known, type) else value in known
            if not fits:
                raise NetworkError(f"node {self.label} has {name} = {value!r}, which is not supported")
        return self.attributes

    def expect(self, fewest: int, most: int, *, first: bool = True) -> None:
        """Check that the node has `fewest` to `most` constants beside the chain's value, which comes first.

        It need not come first if `first` is False. Raises `NetworkError`.
        """
        constants = [operand for i, operand in enumerate(self.operands) if i != self.place]
        given = len(constants) - (constants[-1:] == [None])  # an optional last one may be left out by an empty name
        if (first and self.place) or not fewest <= given <= most or None in constants[:given]:
            raise NetworkError(
                f"node {self.label} has {given} constants, and the previous node's value as operand {self.place + 1}; "
                f"{SUPPORTED}"
            )

    def has(self, position: int) -> bool:
        """Return whether the node has a constant at this position."""
        return position < len(self.operands) and self.operands[position] is not None

    def constant(self, position: int) -> Float64Array:
        """Return a constant of finite float32 numbers, in float64. Raises `NetworkError`."""
        from onnx import TensorProto

        array = self._array(position, TensorProto.FLOAT, "float32")
        if not np.isfinite(array).all():
            raise NetworkError(f"weights {self._name(position)!r} are not all finite")
        return array.astype(np.float64)

    def integers(self, position: int) -> list[int]:
        """Return a constant list of int64. Raises `NetworkError` like `constant`."""
        from onnx import TensorProto

        numbers: list[int] = self._array(position, TensorProto.INT64, "int64").ravel().tolist()
        return numbers

    def _array(self, position: int, kind: int, wanted: str) -> npt.NDArray[Any]:
        from onnx import numpy_helper

        tensor = self.operands[position]
        assert tensor is not None  # noqa: S101 - `expect` has checked it
        if tensor.data_type != kind:
            raise NetworkError(f"weights {tensor.name!r} are {_type_name(tensor.data_type)}; they must be {wanted}")
        try:
            return np.asarray(numpy_helper.to_array(tensor))
        except (ValueError, TypeError) as error:
            raise NetworkError(f"weights {tensor.name!r} do not fill their shape {list(tensor.dims)}") from error

    def _name(self, position: int) -> str:
        tensor = self.operands[position]
        return tensor.name if tensor else ""


class Graph:
    """The graph of a model: one input of shape `shape` after the sample's dimension, one output, nodes in a chain."""

    def __init__(self, model: ModelProto) -> None:
        """Check everything except the nodes. Raises `NetworkError` for a model that is not such a chain."""
        graph = model.graph
        self._graph = graph
        if model.functions:  # functions could give the operators' names another meaning
            raise NetworkError(f"defines its own operators; {SUPPORTED}")
        if not graph.node:
            raise NetworkError("does not hold nodes: it is empty or cut off; export it again")
        for opset in model.opset_import:
            if opset.domain in ("", "ai.onnx") and opset.version < OLDEST_OPSET:
                raise NetworkError(
                    f"is of opset {opset.version}, whose operators have other meanings; export it for opset "
                    f"{OLDEST_OPSET} or later"
                )
        if graph.sparse_initializer:
            raise NetworkError("holds sparse weights, which are not supported; export them dense")
        self._constants = _constants_of(graph)
        self.shape = self._input_shape()

    def nodes(self) -> Iterator[Node]:
        """Yield the nodes in order, checking that each reads the value of the one before."""
        current = self._input().name
        for node in self._graph.node:
            label = _label(node)
            if node.op_type == "Constant" and not node.input:
                continue
            if node.domain not in ("", "ai.onnx"):
                raise NetworkError(f"node {label} is of domain {node.domain!r}; {SUPPORTED}")
            operands = [name for name in node.input if name and name not in self._constants]
            if operands != [current] or len(node.output) != 1:
                raise NetworkError(f"node {label} takes {operands}, not only {current!r}; {SUPPORTED}")
            yield Node(
                label,
                node.op_type,
                tuple(self._constants.get(name) for name in node.input),
                list(node.input).index(current),
                {attribute.name: _value(label, attribute) for attribute in node.attribute},
            )
            current = node.output[0]
        if current != self._graph.output[0].name:
            raise NetworkError(f"the last node gives {current!r}, not the output {self._graph.output[0].name!r}")

    def _input(self) -> ValueInfoProto:
        inputs = [value for value in self._graph.input if value.name not in self._constants]
        if len(inputs) != 1 or len(self._graph.output) != 1:
            raise NetworkError(
                f"has {len(inputs)} inputs and {len(self._graph.output)} outputs; it must have one of each"
            )
        value: ValueInfoProto = inputs[0]
        return value

    def _input_shape(self) -> tuple[int, ...]:
        """Return the input dimensions after the first, which counts samples and must be 1 or open."""
        from onnx import TensorProto

        value = self._input()
        tensor_type = value.type.tensor_type
        if tensor_type.elem_type != TensorProto.FLOAT:
            raise NetworkError(f"input {value.name!r} is {_type_name(tensor_type.elem_type)}; it must be float32")
        shape = [d.dim_value if d.HasField("dim_value") else None for d in tensor_type.shape.dim]
        if len(shape) < 2 or shape[0] not in (1, None):
            raise NetworkError(f"input {value.name!r} has shape {shape}; it must be one sample, [1, n]")
        sizes = tuple(n for n in shape[1:] if n is not None and n > 0)
        if len(sizes) < len(shape) - 1:
            raise NetworkError(f"input {value.name!r} has shape {shape}; only the first dimension may be open")
        return sizes


def _constants_of(graph: GraphProto) -> dict[str, TensorProto]:
    """Return the initializers and Constant nodes by name, all inside the file."""
    from onnx import TensorProto

    tensors = [(tensor.name, tensor) for tensor in graph.initializer]
    for node in graph.node:
        if node.op_type == "Constant" and not node.input:
            attributes = list(node.attribute)
            if len(attributes) != 1 or attributes[0].name != "value" or len(node.output) != 1:
                raise NetworkError(f"node {_label(node)} does not hold a plain tensor, which is not supported")
            tensor = attributes[0].t
            tensor.name = node.output[0]
            tensors.append((tensor.name, tensor))
    constants = dict(tensors)
    if len(constants) < len(tensors):
        raise NetworkError("gives the same name to two weights")
    for name, tensor in tensors:
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise NetworkError(f"weights {name!r} are outside the file; export them into it")
        if min(tensor.dims, default=0) < 0 or math.prod(tensor.dims) > 1 << 31:
            raise NetworkError(f"weights {name!r} do not fill their shape {list(tensor.dims)}")
    return constants


def _value(label: str, attribute: AttributeProto) -> Any:
    from onnx import helper

    try:
        return helper.get_attribute_value(attribute)
    except ValueError as error:
        raise NetworkError(f"node {label} has {attribute.name} of an unknown type") from error


def _label(node: NodeProto) -> str:
    name = node.name or next(iter(node.output), "")
    return f"{name!r} ({node.op_type})"


def _type_name(elem_type: int) -> str:
    from onnx import TensorProto

    try:
        return str(TensorProto.DataType.Name(elem_type)).lower()
    except ValueError:
        return f"type {elem_type}"
