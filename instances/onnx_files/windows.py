"""Operators over windows and axes: convolutions, pools, reductions and padding."""

from __future__ import annotations

import math

import numpy as np

from vnnbench.instances.onnx_files import movement
from vnnbench.instances.onnx_files.affine_maps import MAX_VALUES, Windows, convolution, window_sums
from vnnbench.instances.onnx_files.arithmetic import repeated
from vnnbench.instances.onnx_files.graph import Node
from vnnbench.instances.onnx_files.operations import Operands, Operations, Operator, negative
from vnnbench.instances.onnx_files.tensors import Shape, Tensor
from vnnbench.instances.onnx_files.values import IndexArray, Value

SAME_PADS = (b"NOTSET", b"VALID", b"SAME_UPPER", b"SAME_LOWER")
"""What `auto_pad` may say."""


def _windows_of(node: Node, spatial: Shape, kernel: Shape) -> Windows:
    """Return the windows over values of shape `spatial`. Raises `NetworkError`: an attribute does not fit."""
    n = len(spatial)

    def lengths(name: str, default: int, least: int, count: int = n) -> Shape:
        found = tuple(node.attributes.get(name, [default] * count))
        if len(found) != count or not all(least <= length <= MAX_VALUES for length in found):
            raise node.misfit(f"has {name} = {list(found)}, which does not fit its input")
        return found

    if tuple(node.attributes.get("kernel_shape", kernel)) != kernel or len(kernel) != n or min(kernel) < 1:
        raise node.misfit(f"has kernel_shape = {list(kernel)}, which does not fit its input")
    strides, dilations, pads = lengths("strides", 1, 1), lengths("dilations", 1, 1), lengths("pads", 0, 0, 2 * n)
    before, after = pads[:n], pads[n:]
    match node.attributes.get("auto_pad", b"NOTSET"):
        case b"VALID":
            before = after = (0,) * n
        case b"SAME_UPPER" | b"SAME_LOWER" as side:
            total = [
                max((-(-s // stride) - 1) * stride + dilation * (k - 1) + 1 - s, 0)
                for s, k, stride, dilation in zip(spatial, kernel, strides, dilations, strict=True)
            ]
            smaller, larger = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
            before, after = (smaller, larger) if side == b"SAME_UPPER" else (larger, smaller)
    return Windows(kernel, strides, dilations, before, after, bool(node.attributes.get("ceil_mode", 0)))


def _conv(to: Operations, node: Node, operands: Operands) -> Tensor:
    given = node.take(kernel_shape=list, strides=list, dilations=list, pads=list, auto_pad=SAME_PADS, group=int)
    x, weights, groups = to.sample(node, operands), to.floats(node, operands, 1), given.get("group", 1)
    if weights.ndim != len(x.shape) or 0 in weights.shape:
        raise node.misfit(f"has weights of shape {weights.shape} for values {list(x.shape)}")
    windows = _windows_of(node, x.shape[2:], weights.shape[2:])
    try:
        W, shape = convolution(weights, x.shape[1:], windows, groups)
    except ValueError as error:
        raise node.misfit(f"does not fit: {error}") from error
    value = to.blocks.linear(x.value, W)
    if len(operands) > 2 and operands[2] is not None:
        bias = to.floats(node, operands, 2)
        if bias.shape != (len(weights),):
            raise node.misfit(f"has a bias of shape {bias.shape}, it must be ({len(weights)},)")
        value = to.blocks.shift(value, np.repeat(bias, value.n // len(weights)))
    return Tensor((1, *shape), value)


def _average_pool(to: Operations, node: Node, operands: Operands) -> Tensor:
    given = node.take(
        kernel_shape=list, strides=list, pads=list, auto_pad=SAME_PADS, ceil_mode=(0, 1), count_include_pad=(0, 1),
        dilations=([1], [1, 1]),
    )  # fmt: skip
    x, kernel = to.sample(node, operands), tuple(given.get("kernel_shape", ()))
    windows = _windows_of(node, x.shape[2:], kernel)
    try:
        W, shape, counts = window_sums(x.shape[1:], windows)
    except ValueError as error:
        raise node.misfit(f"does not fit: {error}") from error
    if given.get("count_include_pad"):
        if windows.ceil:
            raise node.fail(
                "has ceil_mode = 1 and count_include_pad = 1, which is not supported; export it with one of them"
            )
        counts = np.full_like(counts, math.prod(kernel))
    if not counts.all():
        raise node.fail("averages over padding only; export it with smaller pads")
    return Tensor((1, *shape), to.blocks.divide(to.blocks.linear(x.value, W), counts.astype(np.float64)))


def _max_pool(to: Operations, node: Node, operands: Operands) -> Tensor:
    given = node.take(
        kernel_shape=list, strides=list, pads=list, auto_pad=SAME_PADS, ceil_mode=(0, 1), dilations=list,
        storage_order=(0,),
    )  # fmt: skip
    x, kernel = to.sample(node, operands), tuple(given.get("kernel_shape", ()))
    windows = _windows_of(node, x.shape[2:], kernel)
    try:
        n_places, output = math.prod(windows.output_shape(x.shape[2:])), windows.output_shape(x.shape[2:])
        if x.shape[1] * n_places * math.prod(kernel) > MAX_VALUES:
            raise node.fail(f"compares more than {MAX_VALUES} values, the most that is read")
        places = windows.places(x.shape[2:])
    except ValueError as error:
        raise node.misfit(f"does not fit: {error}") from error
    if (places < 0).all(axis=1).any():
        raise node.fail("takes the maximum over padding only; export it with smaller pads")
    # In the padding stands a number of the window again.
    places = np.where(places < 0, places.max(axis=1, keepdims=True), places)
    channels = np.arange(x.shape[1])[:, None, None] * math.prod(x.shape[2:]) + places[None]
    return Tensor((1, x.shape[1], *output), _largest(to, x, channels.reshape(-1, places.shape[1])))


def _reduce(to: Operations, node: Node, operands: Operands) -> Tensor:
    """Return a ReduceSum, ReduceMean, ReduceMax or ReduceMin, or a global pool."""
    x = to.first(node, operands)
    if node.operator.startswith("Global"):
        node.take()
        axes, keeps = list(range(2, len(x.shape))), True
    else:
        axes, keeps = movement.reduced_axes(node, operands, x.shape)
    if not axes:
        return x
    kept = [i for i in range(len(x.shape)) if i not in axes]
    moved = np.transpose(x.places(), [*kept, *axes])
    places = moved.reshape(math.prod(x.shape[i] for i in kept), -1)
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keeps or i not in axes)
    match node.operator:
        case "ReduceMax" | "GlobalMaxPool":
            return Tensor(shape, _largest(to, x, places))
        case "ReduceMin":
            return Tensor(shape, negative(Tensor(shape, _largest(to, negative(x), places))).value)
    value = to.blocks.linear(to.in_order(x, places), repeated(np.ones((1, places.shape[1])), len(places)))
    if node.operator in ("ReduceMean", "GlobalAveragePool"):
        value = to.blocks.divide(value, np.full(value.n, float(places.shape[1])))
    return Tensor(shape, value)


def _pad(to: Operations, node: Node, operands: Operands) -> Tensor:
    x = to.first(node, operands)
    widths, number = movement.pad_widths(node, operands, x.shape)
    places = np.pad(x.places(), widths, constant_values=x.value.n)
    filled = to.blocks.stack([x.value, to.blocks.constant(np.full(1, number))])
    return Tensor((filled.n,), filled).pick(places)


def _largest(to: Operations, tensor: Tensor, places: IndexArray) -> Value:
    """Return the largest of each row of places (m, k), as a tree of maxima of two."""
    tensor = Tensor(tensor.shape, to.blocks.shared(tensor.value))
    columns = [tensor.pick(places[:, i]).value for i in range(places.shape[1])]
    while len(columns) > 1:
        pairs = zip(columns[::2], columns[1::2], strict=False)
        columns = [to.blocks.maximum(one, other) for one, other in pairs] + columns[len(columns) & ~1 :]
    return columns[0]


WINDOWS: dict[str, Operator] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "GlobalAveragePool": _reduce,
    "GlobalMaxPool": _reduce,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "ReduceMax": _reduce,
    "ReduceMean": _reduce,
    "ReduceMin": _reduce,
    "ReduceSum": _reduce,
}
"""The operators of this module by name."""
