"""What each ONNX operator means: from the nodes of a graph to an exact network.

A new operator is an entry of `_OPERATORS` and a method; one that only moves numbers is a case of `movement`. Nothing
is rounded: what float64 cannot hold stays apart, as a divisor or as a layer of its own. The one exception is by
definition: the scale of a batch normalization is gamma / sqrt(variance + epsilon) as float64 arithmetic gives it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeAlias

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import LayeredNetwork, Matrix
from vnnbench.instances.onnx_files import constant_folding, movement
from vnnbench.instances.onnx_files.affine_maps import MAX_VALUES, convolution, diagonal, window_sums
from vnnbench.instances.onnx_files.graph import Graph, Node, checked_array
from vnnbench.instances.onnx_files.layering import layered
from vnnbench.instances.onnx_files.tensors import Constant, Operand, Shape, Tensor, constant, product
from vnnbench.instances.onnx_files.values import Blocks, IndexArray, Value, exact_sum
from vnnbench.instances.onnx_files.windows import SAME_PADS, windows_of

_EPSILON = float(np.float32(1e-5))
"""A batch normalization's, where the node does not say."""
_LEAK = float(np.float32(0.01))
"""A LeakyRelu's slope, where the node does not say."""
_NONLINEAR = {
    "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "Softplus", "Softsign", "Elu", "Selu", "Gelu", "Erf", "Exp", "Log",
    "Sqrt", "Pow", "Reciprocal", "Sin", "Cos", "HardSwish", "Mish", "LayerNormalization", "InstanceNormalization",
    "LRN", "LSTM", "GRU", "RNN",
}  # fmt: skip
"""Operators that are not piecewise linear, or not in general."""

Operands: TypeAlias = Sequence[Operand | None]


class GraphReader:
    """Walk a graph node by node: what every name stands for, and the blocks so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        n_inputs = math.prod(graph.shape)
        if n_inputs > MAX_VALUES:
            raise NetworkError(f"takes {n_inputs} values, more than {MAX_VALUES}")
        self.blocks = Blocks(n_inputs)
        self.known: dict[str, Operand] = {graph.input_name: Tensor(graph.shape, self.blocks.input())}
        self._uses: dict[str, int] = {}

    def network(self) -> LayeredNetwork:
        """Return the graph's network. Raises `NetworkError`, which names the node."""
        nodes = list(self.graph.nodes())
        for node in nodes:
            for name in node.inputs:
                self._uses[name] = self._uses.get(name, 0) + 1
        for node in nodes:
            results = self._read(node, [self._operand(node, name) if name else None for name in node.inputs])
            for name, result in zip(node.outputs, results, strict=False):
                if name in self.known or self.graph.constant(name) is not None:
                    raise node.fail(f"gives {name!r}, which is there already")
                if 0 in result.shape and isinstance(result, Tensor):
                    raise node.fail("gives no values")
                if isinstance(result, Tensor) and self._uses.get(name, 0) > 1:
                    result = Tensor(result.shape, self.blocks.shared(result.value))
                self.known[name] = result
        output = self.known.get(self.graph.output_name)
        if not isinstance(output, Tensor):
            raise NetworkError(f"gives the output {self.graph.output_name!r}, which does not depend on its input")
        return layered(self.blocks, output.value)

    def _operand(self, node: Node, name: str) -> Operand:
        if name not in self.known:
            array = self.graph.constant(name)
            if array is None:
                raise node.fail(f"takes {name!r}, which no node before it gives")
            self.known[name] = constant(array, name)
        return self.known[name]

    def _read(self, node: Node, operands: Operands) -> list[Operand]:
        """Return what a node gives; outputs beyond are those of a training run, and nothing may take them."""
        given = [operand for operand in operands if operand is not None]
        if node.operator == "Constant":
            return [_constant(node)]
        if given and all(isinstance(operand, Constant) for operand in given):
            folded = constant_folding.fold(node, operands)
            if folded is not None:
                return folded
        if node.operator in ("Shape", "Size"):
            return constant_folding.shape_facts(node, operands[0])
        if node.operator in ("Concat", "Split"):
            return self._concat(node, given) if node.operator == "Concat" else self._split(node, operands)
        first = operands[0] if operands else None
        if isinstance(first, Tensor) and (move := movement.move_of(node, operands, first.shape)) is not None:
            places = move(first.places())
            kept = places.size == first.value.n and (places.ravel() == np.arange(places.size)).all()
            return [first.reshaped(places.shape) if kept else first.pick(places)]
        operator = _OPERATORS.get(node.operator)
        if operator is None:
            what = "is not piecewise linear" if node.operator in _NONLINEAR else "is not supported"
            raise node.fail(f"{what}; supported are {', '.join(SUPPORTED)}")
        return [operator(self, node, operands)]

    def _concat(self, node: Node, operands: Sequence[Operand]) -> list[Operand]:
        axis = movement.concat_axis(node, [operand.shape for operand in operands])
        values, places, start = [], [], 0
        for operand in operands:
            tensor = self._tensor(operand)
            values.append(tensor.value)
            places.append(tensor.places() + start)
            start += tensor.value.n
        return [Tensor((start,), self.blocks.stack(values)).pick(np.concatenate(places, axis=axis))]

    def _split(self, node: Node, operands: Operands) -> list[Operand]:
        first = self._first(node, operands)
        axis, cuts = movement.split_sizes(node, operands, first.shape)
        return [first.pick(places) for places in np.split(first.places(), cuts, axis=axis)]

    # -- operands

    def _tensor(self, operand: Operand) -> Tensor:
        """The operand as a tensor; a constant depends on no block."""
        if isinstance(operand, Tensor):
            return operand
        return Tensor(operand.shape, self.blocks.constant(operand.array.astype(np.float64).ravel()))

    def _first(self, node: Node, operands: Operands) -> Tensor:
        first = operands[0] if operands else None
        if not isinstance(first, Tensor):
            raise node.fail("has constants in place of the values that it works on")
        return first

    def _floats(self, node: Node, operands: Operands, place: int) -> Float64Array:
        """A constant operand of floating point numbers."""
        operand = operands[place] if place < len(operands) else None
        if not isinstance(operand, Constant) or operand.is_whole:
            raise node.fail(f"has an operand {place + 1} that is not a constant of floating point numbers")
        return operand.array

    def _aligned(self, node: Node, operands: Sequence[Operand]) -> list[Tensor]:
        """The operands as tensors of their common shape, as broadcasting gives it."""
        shape = self._common_shape(node, operands)
        return [self._spread(self._tensor(operand), shape) for operand in operands]

    def _common_shape(self, node: Node, operands: Sequence[Operand]) -> Shape:
        try:
            shape = np.broadcast_shapes(*(operand.shape for operand in operands))
        except ValueError as error:
            shapes = " and ".join(str(list(operand.shape)) for operand in operands)
            raise node.fail(f"has operands of shapes {shapes}, which do not fit") from error
        if math.prod(shape) > MAX_VALUES:
            raise node.fail(f"gives {list(shape)} values, more than {MAX_VALUES}")
        return shape

    def _spread(self, tensor: Tensor, shape: Shape) -> Tensor:
        return tensor if tensor.shape == shape else tensor.pick(np.broadcast_to(tensor.places(), shape))

    def _with_constant(self, node: Node, tensor: Tensor, array: Float64Array) -> tuple[Tensor, Float64Array]:
        """A tensor and a constant in their common shape, the constant flat."""
        shape = self._common_shape(node, (tensor, Constant(array)))
        return self._spread(tensor, shape), np.broadcast_to(array, shape).ravel()

    # -- sums and products

    def _sum(self, node: Node, operands: Operands) -> Tensor:
        node.take()
        return reduce(lambda one, other: self._add(node, one, other), map(self._tensor, _present(node, operands)))

    def _add(self, node: Node, one: Operand, other: Operand) -> Tensor:
        if isinstance(one, Constant) or isinstance(other, Constant):
            tensor, constant = (other, one) if isinstance(one, Constant) else (one, other)
            assert isinstance(tensor, Tensor) and isinstance(constant, Constant)  # noqa: S101 - constants were folded
            spread, c = self._with_constant(node, tensor, constant.array.astype(np.float64))
            return Tensor(spread.shape, self.blocks.shift(spread.value, c))
        left, right = self._aligned(node, (one, other))
        return Tensor(left.shape, self.blocks.add(left.value, right.value))

    def _elementwise_add(self, node: Node, operands: Operands) -> Tensor:
        node.take()
        one, other = _two(node, operands)
        return self._add(node, one, other)

    def _elementwise_subtract(self, node: Node, operands: Operands) -> Tensor:
        node.take()
        one, other = _two(node, operands)
        negative = Constant(-other.array) if isinstance(other, Constant) else _negative(other)
        return self._add(node, one, negative)

    def _negate(self, node: Node, operands: Operands) -> Tensor:
        node.take()
        return _negative(self._first(node, operands))

    def _multiply(self, node: Node, operands: Operands) -> Tensor:
        node.take()
        one, other = _two(node, operands)
        if isinstance(one, Tensor) and isinstance(other, Tensor):
            raise node.fail("multiplies two values that both depend on the input, which is not piecewise linear")
        tensor, factor = (one, other) if isinstance(one, Tensor) else (other, one)
        assert isinstance(tensor, Tensor) and isinstance(factor, Constant)  # noqa: S101 - constants were folded
        spread, c = self._with_constant(node, tensor, factor.array.astype(np.float64))
        return Tensor(spread.shape, self._times(spread.value, c))

    def _times(self, value: Value, c: Float64Array) -> Value:
        if (np.abs(c) == 1).all():
            return value.times_signs(c)
        return self.blocks.linear(value, diagonal(c))

    def _divide(self, node: Node, operands: Operands) -> Tensor:
        node.take()
        one, other = _two(node, operands)
        if not isinstance(other, Constant) or not isinstance(one, Tensor):
            raise node.fail("divides by a value that depends on the input, which is not piecewise linear")
        spread, c = self._with_constant(node, one, other.array.astype(np.float64))
        if (c == 0).any():
            raise node.fail("divides by 0")
        return Tensor(spread.shape, self.blocks.divide(spread.value, c))

    def _mean_of_operands(self, node: Node, operands: Operands) -> Tensor:
        total = self._sum(node, operands)
        return Tensor(total.shape, self.blocks.divide(total.value, np.full(total.value.n, float(len(operands)))))

    def _batch_normalization(self, node: Node, operands: Operands) -> Tensor:
        """scale (x - mean) + shift with scale = gamma / sqrt(variance + epsilon), by channel."""
        given = node.take(epsilon=float, momentum=float, training_mode=(0,), spatial=(1,))
        x = self._first(node, operands)
        n = x.shape[1] if len(x.shape) > 1 else 1
        gamma, shift, mean, variance = (self._floats(node, operands, place) for place in range(1, 5))
        if not gamma.shape == shift.shape == mean.shape == variance.shape == (n,):
            raise node.fail(f"has constants of shape {gamma.shape}, they must be ({n},)")
        spread = variance + float(given.get("epsilon", _EPSILON))
        if not (spread > 0).all():
            raise node.fail("has a variance that is not positive")
        by_channel = (1, n, *(1 for _ in x.shape[2:]))
        centre, scale, shift = (
            np.broadcast_to(c.reshape(by_channel), x.shape).ravel() for c in (-mean, gamma / np.sqrt(spread), shift)
        )
        value = self.blocks.linear(self.blocks.shift(x.value, centre), diagonal(scale))
        return Tensor(x.shape, self.blocks.shift(value, shift))

    # -- matrix products

    def _gemm(self, node: Node, operands: Operands) -> Tensor:
        given = node.take(alpha=float, beta=float, transA=(0, 1), transB=(0, 1))
        sides: list[Operand] = []
        for operand, flag in zip(_two(node, operands[:2]), ("transA", "transB"), strict=True):
            if len(operand.shape) != 2:
                raise node.fail(f"takes an operand of shape {list(operand.shape)}; put a Flatten before it")
            if not given.get(flag):
                sides.append(operand)
            elif isinstance(operand, Constant):
                sides.append(Constant(operand.array.T))
            else:
                sides.append(operand.pick(operand.places().T))
        result = self._product(node, sides[0], sides[1], float(given.get("alpha", 1.0)))
        bias = operands[2] if len(operands) > 2 else None
        if bias is None:
            return result
        beta = float(given.get("beta", 1.0))
        if isinstance(bias, Tensor):
            scaled = Tensor(bias.shape, self._times(bias.value, np.full(bias.value.n, beta)))
            return self._add(node, result, scaled)
        c = product(bias.array.astype(np.float64), np.full(bias.shape, beta))
        if c is None:
            raise node.fail(f"has beta = {beta}, whose product with its bias is not a float64")
        if not _fits_into(bias.shape, result.shape):
            raise node.fail(f"has a bias of shape {bias.shape}, its values have {list(result.shape)}")
        return self._add(node, result, Constant(c))

    def _matmul(self, node: Node, operands: Operands) -> Tensor:
        node.take()
        one, other = _two(node, operands)
        return self._product(node, one, other)

    def _product(self, node: Node, one: Operand, other: Operand, factor: float = 1.0) -> Tensor:
        """factor times the matrix product, one side of it constant. The constant is a matrix or a vector."""
        if isinstance(one, Tensor) and isinstance(other, Tensor):
            raise node.fail("multiplies two values that both depend on the input, which is not piecewise linear")
        from_right = isinstance(one, Tensor)
        tensor, weights = (one, other) if from_right else (other, one)
        assert isinstance(tensor, Tensor) and isinstance(weights, Constant)  # noqa: S101 - constants were folded
        B = product(weights.array.astype(np.float64), np.full(weights.shape, factor))
        if B is None:
            raise node.fail(f"has alpha = {factor}, whose product with its weights is not a float64")
        if B.ndim not in (1, 2) or 0 in B.shape or not tensor.shape:
            raise node.fail(f"has weights of shape {B.shape}, they must be a matrix")
        W = (B.T if B.ndim == 2 else B[None, :]) if from_right else (B if B.ndim == 2 else B[None, :])
        places = tensor.places()
        if not from_right and places.ndim > 1:
            places = np.swapaxes(places, -1, -2)  # so that the summed dimension is the last
        if W.shape[1] != places.shape[-1]:
            raise node.fail(f"takes {W.shape[1]} values by its weights, but gets {places.shape[-1]}")
        rows = places.reshape(-1, W.shape[1])
        value = self.blocks.linear(self._in_order(tensor, rows), _repeated(W, len(rows)))
        result = np.arange(value.n).reshape(*places.shape[:-1], len(W))
        if not from_right and places.ndim > 1:
            result = np.swapaxes(result, -1, -2)
        if B.ndim == 1:
            result = result[..., 0] if from_right or places.ndim == 1 else result[..., 0, :]
        return Tensor((value.n,), value).pick(result)

    def _in_order(self, tensor: Tensor, places: IndexArray) -> Value:
        """The numbers at these places; the value itself where that is all of them in their order."""
        if places.size == tensor.value.n and (places.ravel() == np.arange(places.size)).all():
            return tensor.value
        return tensor.pick(places).value

    # -- windows and reductions

    def _conv(self, node: Node, operands: Operands) -> Tensor:
        given = node.take(kernel_shape=list, strides=list, dilations=list, pads=list, auto_pad=SAME_PADS, group=int)
        x, weights, groups = self._sample(node, operands), self._floats(node, operands, 1), given.get("group", 1)
        if weights.ndim != len(x.shape) or 0 in weights.shape:
            raise node.fail(f"has weights of shape {weights.shape} for values {list(x.shape)}")
        windows = windows_of(node, x.shape[2:], weights.shape[2:])
        try:
            W, shape = convolution(weights, x.shape[1:], windows, groups)
        except ValueError as error:
            raise node.fail(f"does not fit: {error}") from error
        value = self.blocks.linear(x.value, W)
        if len(operands) > 2 and operands[2] is not None:
            bias = self._floats(node, operands, 2)
            if bias.shape != (len(weights),):
                raise node.fail(f"has a bias of shape {bias.shape}, it must be ({len(weights)},)")
            value = self.blocks.shift(value, np.repeat(bias, value.n // len(weights)))
        return Tensor((1, *shape), value)

    def _average_pool(self, node: Node, operands: Operands) -> Tensor:
        given = node.take(
            kernel_shape=list, strides=list, pads=list, auto_pad=SAME_PADS, ceil_mode=(0, 1), count_include_pad=(0, 1),
            dilations=([1], [1, 1]),
        )  # fmt: skip
        x, kernel = self._sample(node, operands), tuple(given.get("kernel_shape", ()))
        windows = windows_of(node, x.shape[2:], kernel)
        try:
            W, shape, counts = window_sums(x.shape[1:], windows)
        except ValueError as error:
            raise node.fail(f"does not fit: {error}") from error
        if given.get("count_include_pad"):
            if windows.ceil:
                raise node.fail("has ceil_mode = 1 and count_include_pad = 1, which is not supported")
            counts = np.full_like(counts, math.prod(kernel))
        if not counts.all():
            raise node.fail("averages over padding only")
        return Tensor((1, *shape), self.blocks.divide(self.blocks.linear(x.value, W), counts.astype(np.float64)))

    def _max_pool(self, node: Node, operands: Operands) -> Tensor:
        given = node.take(
            kernel_shape=list, strides=list, pads=list, auto_pad=SAME_PADS, ceil_mode=(0, 1), dilations=list,
            storage_order=(0,),
        )  # fmt: skip
        x, kernel = self._sample(node, operands), tuple(given.get("kernel_shape", ()))
        windows = windows_of(node, x.shape[2:], kernel)
        try:
            n_places, output = math.prod(windows.output_shape(x.shape[2:])), windows.output_shape(x.shape[2:])
            if x.shape[1] * n_places * math.prod(kernel) > MAX_VALUES:
                raise node.fail(f"compares more than {MAX_VALUES} values")
            places = windows.places(x.shape[2:])
        except ValueError as error:
            raise node.fail(f"does not fit: {error}") from error
        if (places < 0).all(axis=1).any():
            raise node.fail("takes the maximum over padding only")
        # In the padding stands a number of the window again.
        places = np.where(places < 0, places.max(axis=1, keepdims=True), places)
        channels = np.arange(x.shape[1])[:, None, None] * math.prod(x.shape[2:]) + places[None]
        return Tensor((1, x.shape[1], *output), self._largest(x, channels.reshape(-1, places.shape[1])))

    def _largest(self, tensor: Tensor, places: IndexArray) -> Value:
        """max over the columns of places (m, k), as a tree of maxima of two."""
        tensor = Tensor(tensor.shape, self.blocks.shared(tensor.value))
        columns = [tensor.pick(places[:, i]).value for i in range(places.shape[1])]
        while len(columns) > 1:
            pairs = zip(columns[::2], columns[1::2], strict=False)
            columns = [self.blocks.maximum(one, other) for one, other in pairs] + columns[len(columns) & ~1 :]
        return columns[0]

    def _reduce(self, node: Node, operands: Operands) -> Tensor:
        """ReduceSum, ReduceMean, ReduceMax, ReduceMin, and the global pools."""
        x = self._first(node, operands)
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
                return Tensor(shape, self._largest(x, places))
            case "ReduceMin":
                return Tensor(shape, _negative(Tensor(shape, self._largest(_negative(x), places))).value)
        value = self.blocks.linear(self._in_order(x, places), _repeated(np.ones((1, places.shape[1])), len(places)))
        if node.operator in ("ReduceMean", "GlobalAveragePool"):
            value = self.blocks.divide(value, np.full(value.n, float(places.shape[1])))
        return Tensor(shape, value)

    def _pad(self, node: Node, operands: Operands) -> Tensor:
        x = self._first(node, operands)
        widths, number = movement.pad_widths(node, operands, x.shape)
        places = np.pad(x.places(), widths, constant_values=x.value.n)
        filled = self.blocks.stack([x.value, self.blocks.constant(np.full(1, number))])
        return Tensor((filled.n,), filled).pick(places)

    def _sample(self, node: Node, operands: Operands) -> Tensor:
        """The first operand, one sample with channels and one or two dimensions more."""
        x = self._first(node, operands)
        if len(x.shape) not in (3, 4) or x.shape[0] != 1:
            raise node.fail(f"takes values {list(x.shape)}; one sample with one or two dimensions is supported")
        return x

    # -- piecewise linear functions

    def _relu(self, node: Node, operands: Operands) -> Tensor:
        node.take()
        x = self._first(node, operands)
        return Tensor(x.shape, self.blocks.relu(x.value))

    def _leaky_relu(self, node: Node, operands: Operands) -> Tensor:
        slope = float(node.take(alpha=float).get("alpha", _LEAK))
        x = self._first(node, operands)
        return Tensor(x.shape, self._with_slope(x.value, np.full(x.value.n, slope)))

    def _prelu(self, node: Node, operands: Operands) -> Tensor:
        node.take()
        x, slopes = self._first(node, operands), self._floats(node, operands, 1)
        if not _fits_into(slopes.shape, x.shape):
            raise node.fail(f"has slopes of shape {slopes.shape}, its values have {list(x.shape)}")
        return Tensor(x.shape, self._with_slope(x.value, np.broadcast_to(slopes, x.shape).ravel()))

    def _with_slope(self, value: Value, slope: Float64Array) -> Value:
        """max(v, 0) + slope min(v, 0) = slope v + (1 - slope) max(v, 0)."""
        value = self.blocks.shared(value)
        above = exact_sum(np.ones(value.n), -slope)
        on = self.blocks.relu(value)
        if above is not None:
            return self.blocks.add(self._times(value, slope), self._times(on, above))
        below = self.blocks.as_block(self.blocks.add(on, value.times_signs(-np.ones(value.n))))  # max(-v, 0)
        return self.blocks.add(on, self._times(below, -slope))

    def _clip(self, node: Node, operands: Operands) -> Tensor:
        given = node.take(min=float, max=float)
        x = self._first(node, operands)
        ends = [given.get("min"), given.get("max")]
        for place in (1, 2):
            if len(operands) > place and operands[place] is not None:
                ends[place - 1] = float(self._floats(node, operands, place).ravel()[0])
        low, high = ends
        value = x.value
        if low is not None and low > -_INFINITE:
            value = self._at_least(value, low)
        if high is not None and high < _INFINITE:
            value = self._at_least(value.times_signs(-np.ones(value.n)), -high)
            value = value.times_signs(-np.ones(value.n))
        return Tensor(x.shape, value)

    def _at_least(self, value: Value, low: float) -> Value:
        """max(v, low) = low + max(v - low, 0)."""
        each = np.full(value.n, low)
        return self.blocks.shift(self.blocks.relu(self.blocks.shift(value, -each)), each)

    def _abs(self, node: Node, operands: Operands) -> Tensor:
        """|v| = 2 max(v, 0) - v."""
        node.take()
        x = self._first(node, operands)
        return Tensor(x.shape, self._with_slope(x.value, -np.ones(x.value.n)))

    def _max(self, node: Node, operands: Operands) -> Tensor:
        node.take()
        tensors = self._aligned(node, _present(node, operands))
        return Tensor(tensors[0].shape, reduce(self.blocks.maximum, [tensor.value for tensor in tensors]))

    def _min(self, node: Node, operands: Operands) -> Tensor:
        node.take()
        tensors = [_negative(tensor) for tensor in self._aligned(node, _present(node, operands))]
        largest = reduce(self.blocks.maximum, [tensor.value for tensor in tensors])
        return _negative(Tensor(tensors[0].shape, largest))

    def _cast(self, node: Node, operands: Operands) -> Tensor:
        """From one floating point type to another as if it had all digits: what it rounds is float32's business."""
        from onnx import TensorProto

        given = node.take(to=(TensorProto.FLOAT, TensorProto.DOUBLE), saturate=(0, 1))
        if "to" not in given:
            raise node.fail("does not say to which type")
        return self._first(node, operands)


_INFINITE = float(np.finfo(np.float32).max)
"""A bound of a Clip that is no bound."""

_OPERATORS: dict[str, Callable[[GraphReader, Node, Operands], Operand]] = {
    "Abs": GraphReader._abs,
    "Add": GraphReader._elementwise_add,
    "AveragePool": GraphReader._average_pool,
    "BatchNormalization": GraphReader._batch_normalization,
    "Cast": GraphReader._cast,
    "Clip": GraphReader._clip,
    "Conv": GraphReader._conv,
    "Div": GraphReader._divide,
    "Gemm": GraphReader._gemm,
    "GlobalAveragePool": GraphReader._reduce,
    "GlobalMaxPool": GraphReader._reduce,
    "LeakyRelu": GraphReader._leaky_relu,
    "MatMul": GraphReader._matmul,
    "Max": GraphReader._max,
    "MaxPool": GraphReader._max_pool,
    "Mean": GraphReader._mean_of_operands,
    "Min": GraphReader._min,
    "Mul": GraphReader._multiply,
    "Neg": GraphReader._negate,
    "PRelu": GraphReader._prelu,
    "Pad": GraphReader._pad,
    "ReduceMax": GraphReader._reduce,
    "ReduceMean": GraphReader._reduce,
    "ReduceMin": GraphReader._reduce,
    "ReduceSum": GraphReader._reduce,
    "Relu": GraphReader._relu,
    "Sub": GraphReader._elementwise_subtract,
    "Sum": GraphReader._sum,
}
_MOVES = (
    "Concat", "Dropout", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Slice", "Split", "Squeeze",
    "Tile", "Transpose", "Unsqueeze",
)  # fmt: skip
SUPPORTED = tuple(sorted((*_OPERATORS, *_MOVES)))
"""Operators that may stand on the way from the input to the output."""


def _constant(node: Node) -> Constant:
    """The constant of a Constant node, in any of its forms but sparse and text."""
    if len(node.attributes) != 1 or len(node.outputs) != 1:
        raise node.fail("does not hold one constant")
    ((form, value),) = node.attributes.items()
    match form:
        case "value":
            return constant(checked_array(value), node.outputs[0])
        case "value_float" | "value_floats":
            return constant(np.array(value, dtype=np.float32), node.outputs[0])
        case "value_int" | "value_ints":
            return constant(np.array(value, dtype=np.int64), node.outputs[0])
        case _:
            raise node.fail(f"holds a {form}, which is not supported")


def _present(node: Node, operands: Operands) -> list[Operand]:
    found = [operand for operand in operands if operand is not None]
    if len(found) < len(operands) or not found:
        raise node.fail("lacks an operand")
    return found


def _two(node: Node, operands: Operands) -> tuple[Operand, Operand]:
    found = _present(node, operands)
    if len(found) != 2:
        raise node.fail(f"has {len(found)} operands, it must have two")
    return found[0], found[1]


def _fits_into(shape: Shape, other: Shape) -> bool:
    """Return whether broadcasting spreads one shape over the other, as it is."""
    sizes = zip(reversed(shape), reversed(other), strict=False)
    return len(shape) <= len(other) and all(n in (1, m) for n, m in sizes)


def _negative(tensor: Tensor) -> Tensor:
    return Tensor(tensor.shape, tensor.value.times_signs(-np.ones(tensor.value.n)))


def _repeated(W: Float64Array, times: int) -> Matrix:
    """W for each of so many rows: dense where there is one."""
    if times == 1:
        return np.ascontiguousarray(W)
    from scipy.sparse import csr_array, eye_array, kron

    if W.size * times > MAX_VALUES * 20:
        raise NetworkError("repeats a matrix too often")
    return csr_array(kron(eye_array(times), csr_array(W), format="csr"))
