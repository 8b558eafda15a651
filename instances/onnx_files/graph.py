"""The graph of an ONNX file: its input, its constants and its nodes in order, without what the operators mean.

A file may come from anywhere, so nothing is trusted: everything that the result depends on is looked at, and what is
not understood is an error. Data outside the file is never followed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vnnbench.instances.errors import NetworkError

if TYPE_CHECKING:
    from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

OLDEST_OPSET = 7
"""Since then operators broadcast as NumPy does, and normalize by the running mean where they have one output."""
_MORE = {("ai.onnx.ml", "Scaler")}
"""Domain and name of operators that are read beside those of ONNX's own domain."""

_FLOAT_TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
}
"""By `TensorProto.FLOAT`, `FLOAT16` and `DOUBLE`, the types that float64 holds and ONNX Runtime computes with."""


class Floats:
    """The type of an attribute that holds floating point numbers, for `Node.take`."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operator. label: how errors name it. inputs: names, "" where one is left out. outputs: names."""

    label: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    def fail(self, what: str) -> NetworkError:
        """Return the error that says what is wrong with the node, and what would help."""
        return NetworkError(f"node {self.label} {what}")

    def misfit(self, what: str) -> NetworkError:
        """Return the error for operands and attributes that do not fit each other, which another export mends."""
        return self.fail(f"{what}; export the network again, for one sample of fixed shape")

    def take(self, **allowed: tuple[object, ...] | type) -> dict[str, Any]:
        """Return the attributes, each one that the caller knows, of a value or type that it allows; list: of integers.
        Raises `NetworkError`."""
        for name, value in self.attributes.items():
            known = allowed.get(name, ())
            if known is list or known is Floats:
                kind = int if known is list else float
                fits = isinstance(value, list) and all(type(n) is kind for n in value)
            else:
                fits = type(value) is known if isinstance(known, type) else value in known
            fits = fits and value == value  # NaN does not equal itself
            if not fits:
                raise self.fail(f"has {name} = {value!r}, which is not supported; export it {_instead(known)}")
        return self.attributes


def _instead(known: tuple[object, ...] | type) -> str:
    """Return how to export a node whose attribute does not have one of these values, or this type."""
    if not isinstance(known, tuple):
        return "for another opset"
    values = [value.decode() if isinstance(value, bytes) else str(value) for value in known]
    return f"with {' or '.join(values)}" if values else "without it"


class Graph:
    """The graph of a model with one input and one output.

    shape: of the input, its first dimension 1 where the file leaves it open. float_types: those that its floating point
    numbers may have: the input's, and those that a Cast makes or takes. computes_in_half: whether a value that depends
    on the input may have type float16.
    """

    def __init__(self, model: ModelProto) -> None:
        """Raises `NetworkError` for what shows before the nodes."""
        from onnx import TensorProto

        graph = model.graph
        self._graph = graph
        if model.functions:  # they could give the operators' names another meaning
            raise NetworkError("defines its own operators, which are not supported; export it without functions")
        if not graph.node:
            raise NetworkError("does not hold nodes: it is empty or cut off; export it again")
        for opset in model.opset_import:
            if opset.domain in ("", "ai.onnx") and opset.version < OLDEST_OPSET:
                raise NetworkError(
                    f"is of opset {opset.version}, whose operators mean something else; export it for {OLDEST_OPSET} "
                    "or later"
                )
        if graph.sparse_initializer:
            raise NetworkError("holds sparse weights, which are not supported; export them dense")
        tensors = [(tensor.name, tensor) for tensor in graph.initializer]
        if len(dict(tensors)) < len(tensors):
            raise NetworkError("gives the same name to two weights; export it again")
        self._tensors = dict(tensors)
        for tensor in self._tensors.values():
            _check_tensor(tensor)
        self.input_name, self.shape, own_type = self._input()
        self.output_name = graph.output[0].name
        casts = [node for node in graph.node if node.op_type == "Cast"]
        made = {attribute.i for node in casts for attribute in node.attribute}
        taken = {self._tensors[name].data_type for node in casts for name in node.input if name in self._tensors}
        self.float_types = {own_type, *(_FLOAT_TYPES[kind] for kind in made | taken if kind in _FLOAT_TYPES)}
        self.computes_in_half = own_type == np.float16 or TensorProto.FLOAT16 in made

    def constant(self, name: str) -> npt.NDArray[Any] | None:
        """Return the array of an initializer, as the file has it; None where there is none of this name. Raises
        `NetworkError`."""
        tensor = self._tensors.get(name)
        return None if tensor is None else array_of(tensor)

    def nodes(self) -> Iterator[Node]:
        """Yield the nodes in the order of the file."""
        for node in self._graph.node:
            if node.domain not in ("", "ai.onnx") and (node.domain, node.op_type) not in _MORE:
                raise NetworkError(
                    f"node {_label(node)} is of domain {node.domain!r}, which is not supported; "
                    "export it with ONNX's own operators, not optimized by another tool"
                )
            yield read_node(node)

    def _input(self) -> tuple[str, tuple[int, ...], np.dtype[Any]]:
        inputs: list[ValueInfoProto] = [value for value in self._graph.input if value.name not in self._tensors]
        if len(inputs) != 1:
            raise NetworkError(
                f"has {len(inputs)} inputs, it must have one; export it with the others joined to it, or as constants"
            )
        if len(self._graph.output) != 1:
            raise NetworkError(
                f"has {len(self._graph.output)} outputs, it must have one beside labels; export it with its scores only"
            )
        tensor_type = inputs[0].type.tensor_type
        name = inputs[0].name
        if tensor_type.elem_type not in _FLOAT_TYPES:
            raise NetworkError(
                f"input {name!r} is {type_name(tensor_type.elem_type)}; it must be float16, float32 or float64"
            )
        shape = [d.dim_value if d.HasField("dim_value") else None for d in tensor_type.shape.dim]
        if not shape:
            raise NetworkError(f"input {name!r} has no dimensions; export it for one sample, [1, n] or [n]")
        if len(shape) > 1 and shape[0] is not None and shape[0] > 1:
            raise NetworkError(f"input {name!r} has shape {shape}; export it for one sample, {[1, *shape[1:]]}")
        first = 1 if len(shape) > 1 and (shape[0] is None or shape[0] <= 0) else shape[0]
        sizes = tuple(n for n in (first, *shape[1:]) if n is not None and n > 0)
        if len(sizes) < len(shape):
            raise NetworkError(
                f"input {name!r} has shape {shape}; export it with fixed sizes, only the first may be open"
            )
        return name, sizes, _FLOAT_TYPES[tensor_type.elem_type]


def read_node(node: NodeProto) -> Node:
    """Return a node with the values of its attributes. Raises `NetworkError`."""
    label = _label(node)
    attributes = {attribute.name: _value(label, attribute) for attribute in node.attribute}
    return Node(label, node.op_type, tuple(node.input), tuple(node.output), attributes)


def array_of(tensor: TensorProto) -> npt.NDArray[Any]:
    """Return the numbers of a tensor. Raises `NetworkError`: they do not fill its shape."""
    from onnx import numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError) as error:  # KeyError: of a type that onnx does not know
        raise NetworkError(
            f"weights {tensor.name!r} do not fill their shape {list(tensor.dims)}; export it again"
        ) from error


def _check_tensor(tensor: TensorProto) -> None:
    from onnx import TensorProto

    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise NetworkError(f"weights {tensor.name!r} are outside the file; export them into it")
    if min(tensor.dims, default=0) < 0 or math.prod(tensor.dims) > 1 << 31:
        raise NetworkError(f"weights {tensor.name!r} do not fill their shape {list(tensor.dims)}; export it again")


def checked_array(tensor: TensorProto) -> npt.NDArray[Any]:
    """Return the numbers of a tensor that an attribute holds. Raises `NetworkError`."""
    _check_tensor(tensor)
    return array_of(tensor)


def _value(label: str, attribute: AttributeProto) -> Any:
    from onnx import helper

    try:
        return helper.get_attribute_value(attribute)
    except ValueError as error:
        raise NetworkError(
            f"node {label} has {attribute.name} of an unknown type; export it for an older opset"
        ) from error


def _label(node: NodeProto) -> str:
    name = node.name or next(iter(node.output), "")
    return f"{name!r} ({node.op_type})"


def type_name(elem_type: int) -> str:
    """Return the name of an ONNX element type."""
    from onnx import TensorProto

    try:
        return str(TensorProto.DataType.Name(elem_type)).lower()
    except ValueError:
        return f"type {elem_type}"
