"""The writer of ONNX files of networks that are made here; the same network gives the same bytes."""

from __future__ import annotations

from pathlib import Path

from vnnbench.instances.networks.network import Network

OPSET = 13
IR_VERSION = 8
"""The IR version: old enough for every reader in use, and fixed, so that a newer onnx package writes the same bytes."""


def onnx_bytes(network: Network) -> bytes:
    """Return the ONNX file of `network`: Gemm and Relu nodes, float32, `input` (1, n_0), `output` (1, n_L).

    The same network gives the same bytes: they do not hold a time, path or package version.
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
