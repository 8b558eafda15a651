"""The evaluation of an ONNX file by ONNX Runtime, as deployed: in float32, or float16 or float64 if the file has that
type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.onnx_files.reader import parse_file

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_INPUT_TYPES: dict[str, np.dtype[Any]] = {
    "tensor(double)": np.dtype(np.float64),
    "tensor(float16)": np.dtype(np.float16),
}
"""What ONNX Runtime calls the types of inputs other than float32."""


class OnnxRuntime:
    """An ONNX file in ONNX Runtime, with one CPU thread and the file's own type, as deployed.

    point_type: what points are rounded to, float32, or float16 where the file's input has that type.
    computes_in_half: whether some of its values have type float16.
    """

    def __init__(self, data: bytes, source: str = "network") -> None:
        """Prepare the file `data`, without its end; `source` names it in errors. Raises NetworkError, see
        `parse_file`."""
        # This refuses what the exact judgement cannot read, and files with paths to other files.
        file = parse_file(data, source)
        try:
            self._session = _session(file.deployed)
            (given,) = self._session.get_inputs()
            self._input, shape, type_name = given.name, given.shape, given.type  # a name that is not a text is an error
        except Exception as error:  # ONNX Runtime's errors do not have a common base class
            raise _refusal(source, error) from error
        self._source = source
        self._type = _INPUT_TYPES.get(type_name, np.dtype(np.float32))
        self.point_type = np.dtype(np.float16 if self._type == np.float16 else np.float32)
        self.computes_in_half = file.computes_in_half
        self._shape = [n if isinstance(n, int) and n > 0 else 1 for n in shape]

    def run(self, x: Float32Array) -> Float32Array:
        """Return y (n_L,) at x (n_0,), both float32; a network in another type computes in that, and y is rounded.

        Raises TypeError or ValueError when x is of another type or length, and NetworkError if ONNX Runtime refuses
        the network only when it runs it.
        """
        if x.dtype != np.float32:
            raise TypeError(f"x is {x.dtype}; it must be float32")
        with np.errstate(over="ignore"):  # float32 beyond float16 is infinite
            feed = {self._input: x.astype(self._type).reshape(self._shape)}
        try:
            (y,) = self._session.run(None, feed)
        except Exception as error:
            raise _refusal(self._source, error) from error
        with np.errstate(over="ignore"):  # float64 beyond float32 is infinite
            return np.asarray(y, dtype=np.float32).reshape(-1)


def run_samples(data: bytes, inputs: Float64Array) -> list[Float64Array]:
    """Return all outputs of an ONNX file that was made here, at samples (T, m), in float64: each (T, ...)."""
    return [np.asarray(values) for values in _session(data).run(None, {"input": inputs})]


def _session(data: bytes) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # no log: errors are raised as exceptions too
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _refusal(source: str, error: Exception) -> NetworkError:
    reason = " ".join(str(error).split())
    return NetworkError(f"{source}: ONNX Runtime refuses it ({reason}); export it for another opset")
