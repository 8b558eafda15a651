"""The network on steps from a centre, D'(p, m) = D(centre + p - m), as an ONNX file.

VNN-LIB cannot say an L1 ball over x, but over p, m >= 0 it is one linear constraint: sum(p) + sum(m) <= radius.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.limits import MAX_ONNX_BYTES
from vnnbench.instances.onnx_files.graph import Graph

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


def on_steps(data: bytes, centre: Float64Array) -> bytes:
    """Return the file of D' for the network D of an ONNX file, given by its bytes `OnnxFile.deployed`.

    One Gemm, with weights 1 and -1 and the bias `centre` (n_0,), comes before the nodes of D. The input is (1, 2 n_0),
    p then m, in the type of D's input; the output is that of D. The same file and centre give the same bytes. Raises
    `NetworkError`: D's type cannot hold the centre, or the file would be too large.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_model_from_string(data)
    graph = Graph(model)
    (given,) = (value for value in model.graph.input if value.name == graph.input_name)
    n, elem_type = len(centre), given.type.tensor_type.elem_type
    dtype = helper.tensor_dtype_to_np_dtype(elem_type)
    with np.errstate(over="ignore"):
        bias = centre.astype(dtype)
    if (bias != centre).any():
        raise NetworkError(f"the network is {dtype}, which cannot hold the centre of the input set")
    if len(data) + 2 * n * n * dtype.itemsize > MAX_ONNX_BYTES:
        raise NetworkError(f"the network on steps from the centre would hold more than {MAX_ONNX_BYTES} bytes")
    steps, weights, offset, flat, shape = (_unused(model, name) for name in ("steps", "W0", "b0", "x", "x_shape"))
    W = np.hstack([np.eye(n, dtype=dtype), -np.eye(n, dtype=dtype)])
    model.graph.initializer.extend([numpy_helper.from_array(W, weights), numpy_helper.from_array(bias, offset)])
    reshaped = graph.shape != (1, n)
    first: list[NodeProto] = [
        helper.make_node("Gemm", [steps, weights, offset], [flat if reshaped else graph.input_name], transB=1)
    ]
    if reshaped:
        model.graph.initializer.append(numpy_helper.from_array(np.array(graph.shape, dtype=np.int64), shape))
        first.append(helper.make_node("Reshape", [flat, shape], [graph.input_name]))
    nodes = [*first, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    given.CopyFrom(helper.make_tensor_value_info(steps, elem_type, [1, 2 * n]))
    return bytes(model.SerializeToString(deterministic=True))


def _unused(model: ModelProto, name: str) -> str:
    """Return the name, with underscores behind it until the graph does not use it."""
    graph = model.graph
    used = {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    used |= {part for node in graph.node for part in (*node.input, *node.output)}
    while name in used:
        name += "_"
    return name
