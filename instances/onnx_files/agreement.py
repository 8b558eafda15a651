"""The check, on points, that a network as read computes the same as ONNX Runtime, for files from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.onnx_files.runtime import OnnxRuntime

_FLOAT32_ROUNDOFF = 2.0**-24
_FLOAT32_UNDERFLOW = 2.0**-126
"""Smaller products and weights may count as 0: not every kernel supports denormal numbers."""
_FLOAT16_ROUNDOFF = 2.0**-11
_FLOAT16_UNDERFLOW = 2.0**-24
"""Without denormal numbers it would be 2**-14, and explain any output of a wide network: a kernel must support them."""
_SLACK = 16.0
"""The allowed error in standard deviations. It also covers another order of operations, such as a normalization folded
into a convolution."""


def check_agreement(network: Layered, runtime: OnnxRuntime, points: Iterable[Float32Array], source: str) -> None:
    """Raise `NetworkError` if an output by ONNX Runtime differs from the exact one by more than `rounding_error`.

    points: (n_0,) each; `source` names the file.
    """
    exact = ExactNetwork(network)
    for x in points:
        deployed = runtime.run(x).astype(np.float64)
        try:
            outputs = np.array([float(value) for value in exact.outputs(x)])
        except OverflowError as error:
            raise NetworkError(
                f"{source}: its weights are too large; its outputs exceed float64; train the network with smaller ones"
            ) from error
        if deployed.shape != outputs.shape:
            raise NetworkError(
                f"{source}: gives {len(outputs)} values, but {len(deployed)} in ONNX Runtime; export it again"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            excess = np.abs(deployed - outputs) - rounding_error(
                network, x.astype(np.float64), half=runtime.computes_in_half
            )
        worst = int(np.argmax(excess))
        if not excess[worst] <= 0:  # NaN counts as too far
            raise NetworkError(
                f"{source}: output {worst} is {outputs[worst]:.6g}, but {deployed[worst]:.6g} by ONNX Runtime, which "
                "rounding does not explain; the file has another meaning than it was read with: "
                "export it for another opset"
            )


def rounding_error(network: Layered, x: Float64Array, *, half: bool = False) -> Float64Array:
    """Return the error of outputs (n_L,) at x (n_0,) in float32 arithmetic, if roundings are independent.

    half: the results of operators, and x, are rounded to float16. Where they are rounded depends on the machine: ONNX
    Runtime adds up in float32 on most CPUs, and leaves out roundings between operators. So one rounding of the sum of
    all magnitudes is counted for each layer, which covers several of the results.

    It is 16 times the root of the sum of squares. The worst case of all roundings would be a thousand times as large,
    and therefore useless.
    A sum of n products has an error of sqrt(n) u times the sum of their magnitudes, u = 2**-24, plus underflows, plus
    the errors of its terms. Source: Higham, Mary 2019, A New Approach to Probabilistic Rounding Error Analysis,
    theorem 2.4.
    """
    h, error = np.abs(x), np.zeros(len(x))
    value = x
    for layer in network.layers:
        size = abs(layer.W)
        terms = np.asarray((layer.W != 0).sum(axis=1)).ravel() + 2  # the bias, and a division or maximum
        roundoff = np.sqrt(terms) * _FLOAT32_ROUNDOFF + (_FLOAT16_ROUNDOFF if half else 0.0)
        own = roundoff * (size @ h + np.abs(layer.b))
        own = own + (_FLOAT16_UNDERFLOW if half else _FLOAT32_UNDERFLOW) * (terms + np.asarray((layer.W != 0) @ h))
        error = np.sqrt((size * size) @ error**2 + own**2)
        value = layer.W @ value + layer.b
        if layer.divisor is not None:
            value, error = value / layer.divisor, error / layer.divisor
        value = layer.activate(value)
        h = np.abs(value)
    return _SLACK * error
