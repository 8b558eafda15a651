"""ONNX files: written with the same bytes every time, read back bit for bit, and run in float32 as deployed.

A file may come from anywhere, so reading trusts nothing: everything that the result depends on is looked at, and what
is not understood is an error. Data outside the file is never followed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from instances.errors import NetworkError
from instances.network import Float32Array, Network

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto

OPSET = 13
IR_VERSION = 8
"""Old enough for every reader in use; fixed, so that a newer onnx package writes the same bytes."""

SUPPORTED = "supported are Gemm, MatMul, Add of a bias, Relu and Flatten, in one chain that ends without Relu"


def onnx_bytes(network: Network) -> bytes:
    """The ONNX file of `network`: Gemm and Relu nodes, float32, `input` (1, n_0), `output` (1, n_L).

    The same network gives the same bytes: no time, path or package version is in them.
    """
    from onnx import TensorProto, helper, numpy_helper

    nodes, initializers = [], []
    h, last = "input", len(network.weights)
    for k, (W, b) in enumerate(zip(network.weights, network.biases, strict=True), 1):
        z = "output" if k == last else f"z{k}"
        initializers += [numpy_helper.from_array(W, f"W{k}"), numpy_helper.from_array(b, f"b{k}")]
        nodes.append(helper.make_node("Gemm", [h, f"W{k}", f"b{k}"], [z], name=f"gemm{k}", transB=1))
        if k < last:
            h = f"h{k}"
            nodes.append(helper.make_node("Relu", [z], [h], name=f"relu{k}"))
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, network.n_inputs])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, network.n_outputs])],
        initializers,
    )
    model = helper.make_model(
        graph, producer_name="vnnbench", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    return bytes(model.SerializeToString(deterministic=True))


def write_onnx(network: Network, path: Path) -> None:
    """Write `onnx_bytes(network)` to `path`. Raises OSError."""
    path.write_bytes(onnx_bytes(network))


def read_onnx(path: Path) -> Network:
    """Read the network of an ONNX file, the same float32 bits as in it. Raises NetworkError, see `parse_onnx`."""
    if path.exists() and not path.is_file():
        raise NetworkError(f"{path}: is not a file; name an ONNX file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read ({error.strerror or error})") from error
    return parse_onnx(data, str(path))


def parse_onnx(data: bytes, source: str) -> Network:
    """Read the network of an ONNX file in memory; `source` names it in errors.

    The graph must be one chain from one float32 input, (n_0,) per sample or flattened first, to one output: Gemm, or
    MatMul with or without a following Add, and Relu between them. Raises NetworkError, naming the node, for everything
    else: other operators and attributes, other types than float32, data outside the file, weights that are not finite
    or do not fit, and bytes that are no ONNX file.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise NetworkError(f"{source}: is not an ONNX file, or is cut off; export it again") from error
    try:
        if model.functions:  # they could give the operators' names another meaning
            raise NetworkError(f"defines operators of its own; {SUPPORTED}")
        return _Reader(model.graph).network()
    except NetworkError as error:
        raise NetworkError(f"{source}: {error}") from error


class OnnxRuntime:
    """An ONNX file in ONNX Runtime: one CPU thread, float32, as deployed."""

    def __init__(self, data: bytes, source: str = "network") -> None:
        """Prepare the file `data`; `source` names it in errors. Raises NetworkError, see `parse_onnx`."""
        parse_onnx(data, source)  # what the exact judgement cannot read is not run either, and paths in it are dead
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no base class
            message = " ".join(str(error).split())
            raise NetworkError(f"{source}: ONNX Runtime refuses it ({message})") from error
        (self._input,) = self._session.get_inputs()
        self._shape = [n if isinstance(n, int) else 1 for n in self._input.shape]

    def run(self, x: Float32Array) -> Float32Array:
        """y (n_L,) at x (n_0,), both float32. Raises TypeError or ValueError when x is of another type or length."""
        if x.dtype != np.float32:
            raise TypeError(f"x is {x.dtype}, it must be float32")
        (y,) = self._session.run(None, {self._input.name: x.reshape(self._shape)})
        return np.asarray(y, dtype=np.float32).reshape(-1)


@dataclass(slots=True)
class _Layer:
    """An affine layer as read so far: a following Add may still bring its bias, a Relu closes it."""

    weights: Float32Array
    bias: Float32Array | None
    relu: bool = False


@dataclass(slots=True)
class _Reader:
    """Walks the chain of nodes from the input to the output."""

    graph: GraphProto
    constants: dict[str, TensorProto] = field(init=False)
    layers: list[_Layer] = field(default_factory=list)
    flat: bool = False

    def network(self) -> Network:
        graph = self.graph
        if not graph.node:
            raise NetworkError("holds no nodes, so it is no network, or is cut off; export it again")
        if graph.sparse_initializer:
            raise NetworkError("holds sparse weights, which are not supported; export them dense")
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        if len(self.constants) < len(graph.initializer):
            raise NetworkError("gives the same name to two weights")
        shape = self._input_shape()
        self.flat = len(shape) == 1
        for node in self._chain():
            self._read_node(node)
        if not self.layers:
            raise NetworkError(f"holds no weights; {SUPPORTED}")
        if self.layers[-1].relu:
            raise NetworkError(f"ends with Relu; {SUPPORTED}")
        return self._checked_network(shape)

    def _input(self) -> ValueInfoProto:
        inputs = [value for value in self.graph.input if value.name not in self.constants]
        if len(inputs) != 1 or len(self.graph.output) != 1:
            raise NetworkError(
                f"has {len(inputs)} inputs and {len(self.graph.output)} outputs, it must have one of each"
            )
        value: ValueInfoProto = inputs[0]
        return value

    def _input_shape(self) -> list[int | None]:
        """Input dimensions after the first, which counts samples and must be 1 or open; None where one is open."""
        from onnx import TensorProto

        value = self._input()
        tensor_type = value.type.tensor_type
        if tensor_type.elem_type != TensorProto.FLOAT:
            raise NetworkError(f"input {value.name!r} is {_type_name(tensor_type.elem_type)}, it must be float32")
        shape = [d.dim_value if d.HasField("dim_value") else None for d in tensor_type.shape.dim]
        if len(shape) < 2 or shape[0] not in (1, None):
            raise NetworkError(f"input {value.name!r} has shape {shape}, it must be one sample, [1, n]")
        return shape[1:]

    def _chain(self) -> Iterator[NodeProto]:
        """The nodes in order, each checked to take what the one before gives, the last giving the output."""
        current = self._input().name
        for node in self.graph.node:
            operands = [name for name in node.input if name not in self.constants]
            if operands != [current] or len(node.output) != 1:
                raise NetworkError(f"node {_label(node)} takes {operands}, not just {current!r}; {SUPPORTED}")
            yield node
            current = node.output[0]
        if current != self.graph.output[0].name:
            raise NetworkError(f"the last node gives {current!r}, not the output {self.graph.output[0].name!r}")

    def _read_node(self, node: NodeProto) -> None:
        if node.domain not in ("", "ai.onnx"):
            raise NetworkError(f"node {_label(node)} is of domain {node.domain!r}; {SUPPORTED}")
        match node.op_type:
            case "Gemm":
                self._gemm(node)
            case "MatMul":
                _attributes(node, {})
                self._operands(node, constants=1, first=True)
                self._affine(node, self._constant(node, 1).T, None)
            case "Add":
                self._add(node)
            case "Relu":
                _attributes(node, {})
                if not self.layers or self.layers[-1].relu:
                    raise NetworkError(f"node {_label(node)} follows no weights; {SUPPORTED}")
                self.layers[-1].relu = True
            case "Flatten":
                _attributes(node, {"axis": (1,)})
                self.flat = True  # from here on (1, n), whatever the input was
            case _:
                raise NetworkError(f"node {_label(node)} is not supported; {SUPPORTED}")

    def _gemm(self, node: NodeProto) -> None:
        given = _attributes(node, {"alpha": (1.0,), "beta": (1.0,), "transA": (0,), "transB": (0, 1)})
        self._operands(node, constants=len(node.input) - 1, first=True)
        B = self._constant(node, 1)
        bias = self._constant(node, 2) if len(node.input) > 2 else None
        self._affine(node, B if given.get("transB") else B.T, bias)

    def _add(self, node: NodeProto) -> None:
        _attributes(node, {})
        self._operands(node, constants=1, first=False)
        if not self.layers or self.layers[-1].relu or self.layers[-1].bias is not None:
            raise NetworkError(f"node {_label(node)} adds to what is not a MatMul; {SUPPORTED}")
        position = 0 if node.input[0] in self.constants else 1
        self.layers[-1].bias = self._bias(node, self._constant(node, position), self.layers[-1].weights)

    def _operands(self, node: NodeProto, *, constants: int, first: bool) -> None:
        """`constants` operands are constants and one is the chain's, which must come first where order matters."""
        found = sum(name in self.constants for name in node.input)
        if (
            found != constants
            or found < 1
            or len(node.input) != found + 1
            or (first and node.input[0] in self.constants)
        ):
            raise NetworkError(
                f"node {_label(node)} has operands {list(node.input)}, of which the first is no constant"
            )

    def _affine(self, node: NodeProto, weights: Float32Array, bias: Float32Array | None) -> None:
        if not self.flat:
            raise NetworkError(f"node {_label(node)} takes an input that is not flat; put a Flatten before it")
        if self.layers and not self.layers[-1].relu:
            raise NetworkError(f"node {_label(node)} follows other weights without a Relu between; {SUPPORTED}")
        if weights.ndim != 2 or 0 in weights.shape:
            raise NetworkError(f"node {_label(node)} has weights of shape {weights.shape}, they must be a matrix")
        weights = np.ascontiguousarray(weights)
        self.layers.append(_Layer(weights, None if bias is None else self._bias(node, bias, weights)))

    def _bias(self, node: NodeProto, bias: Float32Array, weights: Float32Array) -> Float32Array:
        n_out = weights.shape[0]
        if bias.shape not in ((n_out,), (1, n_out)):
            raise NetworkError(f"node {_label(node)} has a bias of shape {bias.shape}, it must be ({n_out},)")
        return bias.reshape(n_out)

    def _constant(self, node: NodeProto, position: int) -> Float32Array:
        from onnx import TensorProto, numpy_helper

        tensor = self.constants[node.input[position]]
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise NetworkError(f"weights {tensor.name!r} lie outside the file; export them into it")
        if tensor.data_type != TensorProto.FLOAT:
            raise NetworkError(f"weights {tensor.name!r} are {_type_name(tensor.data_type)}, they must be float32")
        try:
            array: npt.NDArray[np.float32] = numpy_helper.to_array(tensor).astype(np.float32, copy=True)
        except (ValueError, TypeError) as error:
            raise NetworkError(f"weights {tensor.name!r} do not fill their shape {list(tensor.dims)}") from error
        if not np.isfinite(array).all():
            raise NetworkError(f"weights {tensor.name!r} are not all finite")
        return array

    def _checked_network(self, input_shape: list[int | None]) -> Network:
        n_0 = self.layers[0].weights.shape[1]
        known = [n for n in input_shape if n is not None]
        if n_0 != math.prod(known) if len(known) == len(input_shape) else n_0 % max(math.prod(known), 1):
            raise NetworkError(f"the first weights take {n_0} values, the input is {input_shape}")
        weights = tuple(layer.weights for layer in self.layers)
        no_bias = [np.zeros(W.shape[0], dtype=np.float32) for W in weights]
        biases = tuple(
            b if b is not None else zero for b, zero in zip((x.bias for x in self.layers), no_bias, strict=True)
        )
        for k in range(1, len(weights)):
            if weights[k].shape[1] != weights[k - 1].shape[0]:
                raise NetworkError(
                    f"layer {k + 1} takes {weights[k].shape[1]} values, the one before gives {weights[k - 1].shape[0]}"
                )
        return Network(weights, biases)


def _label(node: NodeProto) -> str:
    return f"{node.name!r} ({node.op_type})" if node.name else f"({node.op_type})"


def _attributes(node: NodeProto, allowed: dict[str, tuple[float, ...]]) -> dict[str, float]:
    """The node's attributes, each one of its allowed values."""
    from onnx import helper

    given = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if value not in allowed.get(attribute.name, ()):
            raise NetworkError(f"node {_label(node)} has {attribute.name} = {value!r}, which is not supported")
        given[attribute.name] = value
    return given


def _type_name(elem_type: int) -> str:
    from onnx import TensorProto

    try:
        return str(TensorProto.DataType.Name(elem_type)).lower()
    except ValueError:
        return f"type {elem_type}"
