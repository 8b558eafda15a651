"""The meaning of each ONNX operator: a method for each, from a node of the graph to layers of the chain.

To add an operator, add a case to `ChainReader._read`, a method, and a word in `graph.SUPPORTED`. Nothing is rounded: a
number that float64 cannot hold becomes a divisor or a layer of its own. There is one exception, by definition: the
scale of a batch normalization is gamma / sqrt(variance + epsilon) in float64 arithmetic.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import LayeredNetwork
from vnnbench.instances.onnx_files.affine_maps import MAX_VALUES, Windows, convolution, diagonal, window_sums
from vnnbench.instances.onnx_files.graph import SUPPORTED, Graph, Node
from vnnbench.instances.onnx_files.layer_chain import LayerChain

_EPSILON = float(np.float32(1e-5))
"""The default epsilon of a batch normalization."""
_Shape: TypeAlias = tuple[int, ...]
_AUTO_PADS = (b"NOTSET", b"VALID", b"SAME_UPPER", b"SAME_LOWER")


class ChainReader:
    """A reader that goes through a graph node by node.

    shape: that of the current value, without the sample's dimension.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph, self.shape, self.layers = graph, graph.shape, LayerChain()
        if math.prod(self.shape) > MAX_VALUES:
            raise NetworkError(f"takes {math.prod(self.shape)} values, more than {MAX_VALUES}")

    def network(self) -> LayeredNetwork:
        """Return the graph's network. Raises `NetworkError`, which names the node."""
        for node in self.graph.nodes():
            self._read(node)
        if not self.layers.layers:
            raise NetworkError(f"does not hold weights; {SUPPORTED}")
        return self.layers.network()

    @property
    def _size(self) -> int:
        return math.prod(self.shape)

    def _read(self, node: Node) -> None:
        match node.operator:
            case "Gemm":
                self._gemm(node)
            case "MatMul":
                self._matmul(node)
            case "Conv":
                self._conv(node)
            case "AveragePool":
                self._average_pool(node)
            case "BatchNormalization":
                self._batch_normalization(node)
            case "Add" | "Sub" | "Mul" | "Div":
                self._elementwise(node)
            case "Relu":
                node.take()
                self.layers.relu(self._size)
            case "Flatten":
                node.take(axis=(1, -len(self.shape)))
                self.shape = (self._size,)  # from here on (1, n), whatever the shape of the input
            case "Reshape":
                self._reshape(node)
            case "Identity" | "Dropout":  # dropout has no effect outside of training
                node.take(ratio=float, seed=int)
                node.expect(0, 1)
            case _:
                raise NetworkError(f"node {node.label} is not supported; {SUPPORTED}")

    # -- dense layers and shapes

    def _gemm(self, node: Node) -> None:
        given = node.take(alpha=(1.0,), beta=(1.0,), transA=(0,), transB=(0, 1))
        node.expect(1, 2)
        if len(self.shape) != 1:
            raise NetworkError(f"node {node.label} takes an input that is not flat; put a Flatten before it")
        B = node.constant(1)
        self._dense(node, B if given.get("transB") else B.T)
        if node.has(2):
            self.layers.add(self._spread(node, 2))

    def _matmul(self, node: Node) -> None:
        node.take()
        node.expect(1, 1)
        if math.prod(self.shape[:-1]) != 1:
            raise NetworkError(f"node {node.label} takes an input that is not flat; put a Flatten before it")
        self._dense(node, node.constant(1).T)

    def _dense(self, node: Node, W: Float64Array) -> None:
        """Append W (n_out, n_in), which acts on the last dimension."""
        if W.ndim != 2 or 0 in W.shape:
            raise NetworkError(f"node {node.label} has weights of shape {W.shape}; they must be a matrix")
        if W.shape[1] != self.shape[-1]:
            raise NetworkError(f"node {node.label} takes {W.shape[1]} values by its weights, but gets {self.shape[-1]}")
        self.layers.append(np.ascontiguousarray(W))
        self.shape = (*self.shape[:-1], W.shape[0])

    def _reshape(self, node: Node) -> None:
        node.take(allowzero=(0,))
        node.expect(1, 1)
        wanted = node.integers(1)
        whole = (1, *self.shape)
        if wanted.count(-1) <= 1 and len(wanted) <= 8 and all(-1 <= n <= MAX_VALUES for n in wanted):
            sizes = [whole[i] if n == 0 and i < len(whole) else n for i, n in enumerate(wanted)]
            known = math.prod(n for n in sizes if n != -1)
            sizes = [self._size // known if n == -1 and known else n for n in sizes]
            if len(sizes) >= 2 and sizes[0] == 1 and math.prod(sizes) == self._size:
                self.shape = tuple(sizes[1:])
                return
        raise NetworkError(
            f"node {node.label} turns {list(whole)} into {wanted}, which is not a sample of as many values"
        )

    # -- elementwise

    def _elementwise(self, node: Node) -> None:
        """Append an operation with a constant: x + c, x - c, c - x, c x, x / c."""
        node.take()
        node.expect(1, 1, first=node.operator == "Div")
        c = self._spread(node, 1 - node.place)
        match node.operator:
            case "Add":
                self.layers.add(c)
            case "Sub" if node.place == 0:
                self.layers.add(-c)
            case "Sub":
                self.layers.append(diagonal(-np.ones(self._size)))
                self.layers.add(c)
            case "Mul":
                self.layers.append(diagonal(c))
            case "Div":
                if (c == 0).any():
                    raise NetworkError(f"node {node.label} divides by 0")
                self.layers.divide(c)

    def _spread(self, node: Node, position: int) -> Float64Array:
        """Return a constant (n,) for every value, by broadcasting."""
        constant = node.constant(position)
        try:
            return np.broadcast_to(constant, (1, *self.shape)).ravel()
        except ValueError:
            given = "bias" if node.operator == "Gemm" else "constant"
            raise NetworkError(
                f"node {node.label} has a {given} of shape {constant.shape}, but values of shape {(1, *self.shape)}"
            ) from None

    def _batch_normalization(self, node: Node) -> None:
        """Append scale (x - mean) + shift with scale = gamma / sqrt(variance + epsilon), by channel."""
        given = node.take(epsilon=float, momentum=float, training_mode=(0,), spatial=(1,))
        node.expect(4, 4)
        n = self.shape[0]
        gamma, shift, mean, variance = (node.constant(position) for position in range(1, 5))
        if not gamma.shape == shift.shape == mean.shape == variance.shape == (n,):
            raise NetworkError(f"node {node.label} has constants of shape {gamma.shape}; they must be ({n},)")
        spread = variance + float(given.get("epsilon", _EPSILON))
        if not (spread > 0).all():
            raise NetworkError(f"node {node.label} has a variance that is not positive")
        each = self._size // n
        self.layers.add(np.repeat(-mean, each))
        self.layers.append(diagonal(np.repeat(gamma / np.sqrt(spread), each)))
        self.layers.add(np.repeat(shift, each))

    # -- windows

    def _conv(self, node: Node) -> None:
        given = node.take(kernel_shape=list, strides=list, dilations=list, pads=list, auto_pad=_AUTO_PADS, group=int)
        node.expect(1, 2)
        weights, groups = node.constant(1), given.get("group", 1)
        if weights.ndim != len(self.shape) + 1 or 0 in weights.shape:
            raise NetworkError(f"node {node.label} has weights of shape {weights.shape} for values {(1, *self.shape)}")
        windows = self._windows(node, weights.shape[2:])
        try:
            W, self.shape = convolution(weights, self.shape, windows, groups)
        except ValueError as error:
            raise NetworkError(f"node {node.label}: {error}") from error
        self.layers.append(W)
        if node.has(2):
            bias = node.constant(2)
            if bias.shape != (len(weights),):
                raise NetworkError(f"node {node.label} has a bias of shape {bias.shape}; it must be ({len(weights)},)")
            self.layers.add(np.repeat(bias, self._size // len(weights)))

    def _average_pool(self, node: Node) -> None:
        given = node.take(
            kernel_shape=list, strides=list, pads=list, auto_pad=_AUTO_PADS, ceil_mode=(0,), count_include_pad=(0, 1),
            dilations=([1], [1, 1]),
        )  # fmt: skip
        node.expect(0, 0)
        kernel = tuple(given.get("kernel_shape", ()))
        windows = self._windows(node, kernel)
        try:
            W, self.shape, counts = window_sums(self.shape, windows)
        except ValueError as error:
            raise NetworkError(f"node {node.label}: {error}") from error
        if given.get("count_include_pad"):
            counts = np.full_like(counts, math.prod(kernel))
        if not counts.all():
            raise NetworkError(f"node {node.label} averages over padding only")
        self.layers.append(W)
        self.layers.divide(counts.astype(np.float64))

    def _windows(self, node: Node, kernel: _Shape) -> Windows:
        spatial = self.shape[1:]
        n = len(spatial)
        if n not in (1, 2):
            raise NetworkError(
                f"node {node.label} takes values {(1, *self.shape)}; one or two dimensions are supported"
            )

        def lengths(name: str, default: int, least: int, count: int = n) -> _Shape:
            found = tuple(node.attributes.get(name, [default] * count))
            if len(found) != count or not all(least <= length <= MAX_VALUES for length in found):
                raise NetworkError(f"node {node.label} has {name} = {list(found)}, which does not fit its input")
            return found

        if tuple(node.attributes.get("kernel_shape", kernel)) != kernel or len(kernel) != n or min(kernel) < 1:
            raise NetworkError(f"node {node.label} has kernel_shape = {list(kernel)}, which does not fit its input")
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
        return Windows(kernel, strides, dilations, before, after)
