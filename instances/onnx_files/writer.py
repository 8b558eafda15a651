"""ONNX files: written with the same bytes every time, and run in float32 as deployed; `onnx_reading` reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from instances.errors import NetworkError
from instances.networks.network import Float32Array, Network
from instances.onnx_files.reader import parse_onnx

OPSET = 13
IR_VERSION = 8
"""Old enough for every reader in use; fixed, so that a newer onnx package writes the same bytes."""


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


class OnnxRuntime:
    """An ONNX file in ONNX Runtime: one CPU thread, float32, as deployed."""

    def __init__(self, data: bytes, source: str = "network") -> None:
        """Prepare the file `data`; `source` names it in errors. Raises NetworkError, see `parse_onnx`."""
        parse_onnx(data, source)  # what the exact judgement cannot read is not run either, and paths in it are dead
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # its errors are raised as well
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            (given,) = self._session.get_inputs()
            self._input, shape = given.name, given.shape  # names that are no text are errors too
        except Exception as error:  # its errors share no base class
            raise NetworkError(f"{source}: ONNX Runtime refuses it ({' '.join(str(error).split())})") from error
        self._source = source
        self._shape = [n if isinstance(n, int) else 1 for n in shape]

    def run(self, x: Float32Array) -> Float32Array:
        """y (n_L,) at x (n_0,), both float32. Raises TypeError or ValueError when x is of another type or length, and
        NetworkError for what ONNX Runtime refuses only now."""
        if x.dtype != np.float32:
            raise TypeError(f"x is {x.dtype}, it must be float32")
        feed = {self._input: x.reshape(self._shape)}
        try:
            (y,) = self._session.run(None, feed)
        except Exception as error:
            raise NetworkError(f"{self._source}: ONNX Runtime refuses it ({' '.join(str(error).split())})") from error
        return np.asarray(y, dtype=np.float32).reshape(-1)
