"""The reader of ONNX files: a chain of affine layers that is equal to the file's network in real arithmetic.

`wire_format` checks the bytes, `endings` cuts off what is behind the scores of a classifier, `graph` checks the nodes;
`operators` has the meaning of the nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vnnbench.instances.errors import NetworkError
from vnnbench.instances.files import read_plain
from vnnbench.instances.limits import MAX_ONNX_BYTES
from vnnbench.instances.networks.network import LayeredNetwork, Network
from vnnbench.instances.onnx_files.endings import End, cut_end
from vnnbench.instances.onnx_files.graph import Graph
from vnnbench.instances.onnx_files.operators import GraphReader
from vnnbench.instances.onnx_files.wire_format import check_fields

if TYPE_CHECKING:
    from onnx import ModelProto


def read_onnx(path: Path) -> LayeredNetwork:
    """Return the network of an ONNX file, gzipped if its name ends in .gz. Raises `NetworkError`, see `parse_onnx`."""
    return parse_onnx(read_plain(path, MAX_ONNX_BYTES, NetworkError), str(path))


@dataclass(frozen=True, slots=True, eq=False)
class OnnxFile:
    """An ONNX file as it is read: its network, and its bytes without what was cut off at its end.

    computes_in_half: whether some of its values have type float16. input_shape, output_shape: of one sample.
    """

    network: LayeredNetwork
    deployed: bytes
    end: End
    computes_in_half: bool
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


def parse_onnx(data: bytes, source: str) -> LayeredNetwork:
    """Return the network of an ONNX file in memory; `source` names it in errors. Raises `NetworkError`, see
    `parse_file`."""
    return parse_file(data, source).network


def parse_file(data: bytes, source: str) -> OnnxFile:
    """Read an ONNX file in memory; `source` names it in errors.

    The graph leads from one floating point input of fixed shape, one sample, to one output, by the operators in
    `operators.SUPPORTED`; the input is flattened in the order of its dimensions. At its end a classifier may have more,
    see `endings`. Raises `NetworkError`, naming the node, for everything else: other operators and attributes, other
    types, data outside the file, weights that are not finite or do not fit, and bytes that are not an ONNX file.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        check_fields(data)
        model = onnx.load_model_from_string(data)
        end = cut_end(model)
        graph = Graph(model)
        output, network = GraphReader(graph).read()
        end.check(output.shape)
    except DecodeError as error:
        raise NetworkError(f"{source}: is not an ONNX file, or is cut off; export it again") from error
    except NetworkError as error:
        raise NetworkError(f"{source}: {error}") from error
    deployed = _cut(model, graph, output.shape) if end else data
    return OnnxFile(network, deployed, end, graph.computes_in_half, graph.shape, output.shape)


def _cut(model: ModelProto, graph: Graph, shape: tuple[int, ...]) -> bytes:
    """Return the file of a model whose end was cut off, with the type and shape of its scores."""
    from onnx import helper

    (given,) = (value for value in model.graph.input if value.name == graph.input_name)
    (scores,) = model.graph.output
    scores.CopyFrom(helper.make_tensor_value_info(scores.name, given.type.tensor_type.elem_type, shape))
    return bytes(model.SerializeToString(deterministic=True))


def read_perceptron(path: Path) -> Network:
    """Return the multilayer perceptron of a file, with the float32 bits of the file. Raises like `read_onnx`."""
    return as_perceptron(read_onnx(path), str(path))


def parse_perceptron(data: bytes, source: str) -> Network:
    """Return the multilayer perceptron of `data`, with the float32 bits of the file. Raises like `parse_onnx`."""
    return as_perceptron(parse_onnx(data, source), source)


def as_perceptron(network: LayeredNetwork, source: str) -> Network:
    """Return the chain as a multilayer perceptron; `source` names it in errors.

    Raises `NetworkError` when a layer does not have float32 weights and bias, or when the ReLUs are not after every
    layer but the last.
    """
    weights, biases = [], []
    for k, layer in enumerate(network.layers, 1):
        W, b = layer.W, layer.b.astype(np.float32)
        if not isinstance(W, np.ndarray) or layer.divisor is not None:
            raise NetworkError(f"{source}: is not a multilayer perceptron: layer {k} is neither Gemm nor MatMul")
        if not layer.relu.all() and k < len(network.layers):
            raise NetworkError(f"{source}: is not a multilayer perceptron: layer {k} has neurons without a Relu")
        weights.append(W.astype(np.float32))
        biases.append(b)
        if (weights[-1] != W).any() or (b != layer.b).any():
            raise NetworkError(f"{source}: is not a multilayer perceptron: layer {k} has a bias that is not float32")
    return Network(tuple(weights), tuple(biases))
