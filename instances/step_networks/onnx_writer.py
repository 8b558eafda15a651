"""The writer of networks of step functions as ONNX files, in float64; the same network gives the same bytes."""

from __future__ import annotations

import numpy as np

from vnnbench.instances.onnx_files.writer import IR_VERSION, OPSET
from vnnbench.instances.step_networks.step_network import StepNetwork


def step_network_onnx(network: StepNetwork) -> bytes:
    """Return the ONNX file of a network: nodes Gemm, Greater and Cast.

    `input` (samples, m), `output` (samples, K) and `steps` (samples, n) of the hidden neurons, each 0.0 or 1.0. Biases
    are lowered by eps / 2, so that every step is at 0, in the middle of the gap that the training problem leaves.
    """
    from onnx import TensorProto, helper, numpy_helper

    half = network.epsilon / 2
    layers = (("1", "input", "steps", network.W.T, network.b), ("2", "steps", "output", network.Q, network.c))
    nodes, initializers = [], [numpy_helper.from_array(np.zeros(()), "zero")]
    for number, given, result, weights, biases in layers:
        initializers += [
            numpy_helper.from_array(np.ascontiguousarray(weights), f"W{number}"),
            numpy_helper.from_array(biases - half, f"b{number}"),
        ]
        nodes += [
            helper.make_node("Gemm", [given, f"W{number}", f"b{number}"], [f"z{number}"], name=f"gemm{number}"),
            helper.make_node("Greater", [f"z{number}", "zero"], [f"on{number}"], name=f"greater{number}"),
            helper.make_node("Cast", [f"on{number}"], [result], name=f"cast{number}", to=TensorProto.DOUBLE),
        ]
    n, m = network.W.shape
    sizes = {"input": m, "output": len(network.c), "steps": n}
    given, *results = (
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["samples", size]) for name, size in sizes.items()
    )
    graph = helper.make_graph(nodes, "step_network", [given], results, initializers)
    model = helper.make_model(
        graph, producer_name="vnnbench", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    return bytes(model.SerializeToString(deterministic=True))
