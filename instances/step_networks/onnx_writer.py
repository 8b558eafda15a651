"""The writer of networks of step functions as ONNX files, in float64; the same network gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.datasets.labelled_data import Split, scaling_steps
from vnnbench.instances.onnx_files.writer import IR_VERSION, OPSET
from vnnbench.instances.step_networks.step_network import StepNetwork

Operation = tuple[str, Float64Array | None]
"""An ONNX operator, and its second operand if it has one."""


def scaling_operations(split: Split, *, integer: bool) -> list[Operation]:
    """Return the scaling of `datasets.splits.make_split` in the same float64 operations, in their order.

    There are none if the split was not made from a table.
    """
    if (origin := split.origin) is None:
        return []
    steps, unit = scaling_steps(integer=integer)
    width = origin.upper - origin.lower
    return [
        ("Max", origin.lower),
        ("Min", origin.upper),
        ("Sub", origin.lower),
        ("Div", np.where(width > 0, width, 1.0)),
        ("Mul", np.array(float(steps))),
        ("Round", None),
        ("Div", np.array(float(unit))),
    ]


def step_network_onnx(network: StepNetwork, scaling: Sequence[Operation] = ()) -> bytes:
    """Return the ONNX file of a network: nodes Gemm, Greater and Cast, behind those of the scaling if there is one.

    `input` (samples, m): features as in the data set with a scaling, else as in the training problem. `output`
    (samples, K) and `steps` (samples, n) of the hidden neurons, each 0.0 or 1.0. Biases are lowered by eps / 2, so that
    every step is at 0, in the middle of the gap that the training problem leaves.
    """
    from onnx import TensorProto, helper, numpy_helper

    half = network.epsilon / 2
    nodes, initializers, scaled = [], [numpy_helper.from_array(np.zeros(()), "zero")], "input"
    for place, (operator, operand) in enumerate(scaling):
        given, scaled = scaled, f"scaled{place}"
        operands = [] if operand is None else [f"operand{place}"]
        initializers += [numpy_helper.from_array(np.asarray(operand), name) for name in operands]
        nodes.append(helper.make_node(operator, [given, *operands], [scaled], name=f"scale{place}"))
    layers = (("1", scaled, "steps", network.W.T, network.b), ("2", "steps", "output", network.Q, network.c))
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
