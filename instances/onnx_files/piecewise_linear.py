"""Piecewise-linear functions of single numbers, each as ReLUs of affine maps."""

from __future__ import annotations

from functools import reduce

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.onnx_files.arithmetic import fits_into
from vnnbench.instances.onnx_files.graph import Node
from vnnbench.instances.onnx_files.operations import Operands, Operations, Operator, negative, present
from vnnbench.instances.onnx_files.tensors import Tensor
from vnnbench.instances.onnx_files.values import Value, exact_sum

_LEAK = float(np.float32(0.01))
"""The slope of a LeakyRelu whose node does not have one."""
_INFINITE = float(np.finfo(np.float32).max)
"""A bound of a Clip that does not bound."""


def _relu(to: Operations, node: Node, operands: Operands) -> Tensor:
    node.take()
    x = to.first(node, operands)
    return Tensor(x.shape, to.blocks.relu(x.value))


def _leaky_relu(to: Operations, node: Node, operands: Operands) -> Tensor:
    slope = float(node.take(alpha=float).get("alpha", _LEAK))
    x = to.first(node, operands)
    return Tensor(x.shape, _with_slope(to, x.value, np.full(x.value.n, slope)))


def _prelu(to: Operations, node: Node, operands: Operands) -> Tensor:
    node.take()
    x, slopes = to.first(node, operands), to.floats(node, operands, 1)
    if not fits_into(slopes.shape, x.shape):
        raise node.misfit(f"has slopes of shape {slopes.shape}, its values have {list(x.shape)}")
    return Tensor(x.shape, _with_slope(to, x.value, np.broadcast_to(slopes, x.shape).ravel()))


def _with_slope(to: Operations, value: Value, slope: Float64Array) -> Value:
    """Return max(v, 0) + slope min(v, 0) = slope v + (1 - slope) max(v, 0)."""
    value = to.blocks.shared(value)
    above = exact_sum(np.ones(value.n), -slope)
    on = to.blocks.relu(value)
    if above is not None:
        return to.blocks.add(to.times(value, slope), to.times(on, above))
    below = to.blocks.as_block(to.blocks.add(on, value.times_signs(-np.ones(value.n))))  # max(-v, 0)
    return to.blocks.add(on, to.times(below, -slope))


def _clip(to: Operations, node: Node, operands: Operands) -> Tensor:
    given = node.take(min=float, max=float)
    x = to.first(node, operands)
    ends = [given.get("min"), given.get("max")]
    for place in (1, 2):
        if len(operands) > place and operands[place] is not None:
            ends[place - 1] = float(to.floats(node, operands, place).ravel()[0])
    low, high = ends
    value = x.value
    if low is not None and low > -_INFINITE:
        value = _at_least(to, value, low)
    if high is not None and high < _INFINITE:
        value = _at_least(to, value.times_signs(-np.ones(value.n)), -high)
        value = value.times_signs(-np.ones(value.n))
    return Tensor(x.shape, value)


def _at_least(to: Operations, value: Value, low: float) -> Value:
    """Return max(v, low) = low + max(v - low, 0)."""
    each = np.full(value.n, low)
    return to.blocks.shift(to.blocks.relu(to.blocks.shift(value, -each)), each)


def _abs(to: Operations, node: Node, operands: Operands) -> Tensor:
    """Return |v| = 2 max(v, 0) - v."""
    node.take()
    x = to.first(node, operands)
    return Tensor(x.shape, _with_slope(to, x.value, -np.ones(x.value.n)))


def _max(to: Operations, node: Node, operands: Operands) -> Tensor:
    node.take()
    tensors = to.aligned(node, present(node, operands))
    return Tensor(tensors[0].shape, reduce(to.blocks.maximum, [tensor.value for tensor in tensors]))


def _min(to: Operations, node: Node, operands: Operands) -> Tensor:
    node.take()
    tensors = [negative(tensor) for tensor in to.aligned(node, present(node, operands))]
    largest = reduce(to.blocks.maximum, [tensor.value for tensor in tensors])
    return negative(Tensor(tensors[0].shape, largest))


PIECEWISE_LINEAR: dict[str, Operator] = {
    "Abs": _abs,
    "Clip": _clip,
    "LeakyRelu": _leaky_relu,
    "Max": _max,
    "Min": _min,
    "PRelu": _prelu,
    "Relu": _relu,
}
"""The operators of this module by name."""
