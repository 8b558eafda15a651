"""The evaluation of an ONNX file by ONNX Runtime, as deployed: in float32, or float64 if the file has that type."""

from __future__ import annotations

import numpy as np

from vnnbench.instances.arrays import Float32Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.onnx_files.reader import parse_file


class OnnxRuntime:
    """An ONNX file in ONNX Runtime, with one CPU thread and the file's own type, as deployed."""

    def __init__(self, data: bytes, source: str = "network") -> None:
        """Prepare the file `data`, without its end; `source` names it in errors. Raises NetworkError, see
        `parse_file`."""
        # This refuses what the exact judgement cannot read, and files with paths to other files.
        deployed = parse_file(data, source).deployed
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # no log: errors are raised as exceptions too
        try:
            self._session = onnxruntime.InferenceSession(deployed, options, providers=["CPUExecutionProvider"])
            (given,) = self._session.get_inputs()
            self._input, shape, self._type = (
                given.name,
                given.shape,
                given.type,
            )  # a name that is not a text is an error too
        except Exception as error:  # ONNX Runtime's errors do not have a common base class
            raise NetworkError(f"{source}: ONNX Runtime refuses it ({' '.join(str(error).split())})") from error
        self._source = source
        self._shape = [n if isinstance(n, int) and n > 0 else 1 for n in shape]

    def run(self, x: Float32Array) -> Float32Array:
        """Return y (n_L,) at x (n_0,), both float32; a network in float64 computes in that, and y is rounded.

        Raises TypeError or ValueError when x is of another type or length, and NetworkError if ONNX Runtime refuses
        the network only when it runs it.
        """
        if x.dtype != np.float32:
            raise TypeError(f"x is {x.dtype}; it must be float32")
        own = x.astype(np.float64) if self._type == "tensor(double)" else x
        feed = {self._input: own.reshape(self._shape)}
        try:
            (y,) = self._session.run(None, feed)
        except Exception as error:
            raise NetworkError(f"{self._source}: ONNX Runtime refuses it ({' '.join(str(error).split())})") from error
        with np.errstate(over="ignore"):  # float64 beyond float32 is infinite
            return np.asarray(y, dtype=np.float32).reshape(-1)
