"""The reader of ONNX files: a chain of affine layers that is equal to the file's network in real arithmetic.

`wire_format` checks the bytes, `graph` the nodes; `operators` has the meaning of the nodes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vnnbench.instances.errors import NetworkError
from vnnbench.instances.files import read_plain
from vnnbench.instances.limits import MAX_ONNX_BYTES
from vnnbench.instances.networks.network import LayeredNetwork, Network
from vnnbench.instances.onnx_files.graph import Graph
from vnnbench.instances.onnx_files.operators import GraphReader
from vnnbench.instances.onnx_files.wire_format import check_fields


def read_onnx(path: Path) -> LayeredNetwork:
    """Return the network of an ONNX file, gzipped if its name ends in .gz. Raises `NetworkError`, see `parse_onnx`."""
    return parse_onnx(read_plain(path, MAX_ONNX_BYTES, NetworkError), str(path))


def parse_onnx(data: bytes, source: str) -> LayeredNetwork:
    """Read the network of an ONNX file in memory; `source` names it in errors.

    The graph leads from one float32 input of fixed shape, one sample, to one output, by the operators in
    `operators.SUPPORTED`; the input is flattened in the order of its dimensions. Raises `NetworkError`, naming the
    node, for everything else: other operators and attributes, other types, data outside the file, weights that are not
    finite or do not fit, and bytes that are not an ONNX file.
    """
    return _read(data, source)[1]


def tensor_shapes(data: bytes, source: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of the input and of the output of an ONNX file, for one sample. Raises like `parse_onnx`."""
    reader, _ = _read(data, source)
    return reader.graph.shape, reader.known[reader.graph.output_name].shape


def _read(data: bytes, source: str) -> tuple[GraphReader, LayeredNetwork]:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        check_fields(data)
        model = onnx.load_model_from_string(data)
        reader = GraphReader(Graph(model))
        return reader, reader.network()
    except DecodeError as error:
        raise NetworkError(f"{source}: is not an ONNX file, or is cut off; export it again") from error
    except NetworkError as error:
        raise NetworkError(f"{source}: {error}") from error


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
