"""An ONNX file in ONNX Runtime: float32, as deployed."""

from __future__ import annotations

import numpy as np

from vnnbench.instances.arrays import Float32Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.onnx_files.reader import parse_onnx


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
        self._shape = [n if isinstance(n, int) and n > 0 else 1 for n in shape]

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
