"""Affine operators: sums, products with constants, matrix products, normalizations. Nothing is rounded.

The one exception is by definition: the scale of a batch normalization is gamma / sqrt(variance + epsilon) as float64
arithmetic gives it.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import Matrix
from vnnbench.instances.onnx_files.affine_maps import MAX_VALUES, diagonal
from vnnbench.instances.onnx_files.graph import Floats, Node
from vnnbench.instances.onnx_files.operations import Operands, Operations, Operator, negative, present, two
from vnnbench.instances.onnx_files.tensors import Constant, Operand, Shape, Tensor, product

_EPSILON = float(np.float32(1e-5))
"""The epsilon of a batch normalization whose node does not have one."""


def _sum(to: Operations, node: Node, operands: Operands) -> Tensor:
    node.take()
    return reduce(lambda one, other: _add(to, node, one, other), map(to.tensor, present(node, operands)))


def _add(to: Operations, node: Node, one: Operand, other: Operand) -> Tensor:
    if isinstance(one, Constant) or isinstance(other, Constant):
        tensor, constant = (other, one) if isinstance(one, Constant) else (one, other)
        assert isinstance(tensor, Tensor) and isinstance(constant, Constant)  # noqa: S101 - constants were folded
        spread, c = to.with_constant(node, tensor, constant.array.astype(np.float64))
        return Tensor(spread.shape, to.blocks.shift(spread.value, c))
    left, right = to.aligned(node, (one, other))
    return Tensor(left.shape, to.blocks.add(left.value, right.value))


def _elementwise_add(to: Operations, node: Node, operands: Operands) -> Tensor:
    node.take()
    one, other = two(node, operands)
    return _add(to, node, one, other)


def _elementwise_subtract(to: Operations, node: Node, operands: Operands) -> Tensor:
    node.take()
    one, other = two(node, operands)
    subtracted = Constant(-other.array) if isinstance(other, Constant) else negative(other)
    return _add(to, node, one, subtracted)


def _negate(to: Operations, node: Node, operands: Operands) -> Tensor:
    node.take()
    return negative(to.first(node, operands))


def _multiply(to: Operations, node: Node, operands: Operands) -> Tensor:
    node.take()
    one, other = two(node, operands)
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        raise node.fail(
            "multiplies two values that both depend on the input, which is not piecewise linear; one must be constant"
        )
    tensor, factor = (one, other) if isinstance(one, Tensor) else (other, one)
    assert isinstance(tensor, Tensor) and isinstance(factor, Constant)  # noqa: S101 - constants were folded
    spread, c = to.with_constant(node, tensor, factor.array.astype(np.float64))
    return Tensor(spread.shape, to.times(spread.value, c))


def _divide(to: Operations, node: Node, operands: Operands) -> Tensor:
    node.take()
    one, other = two(node, operands)
    if not isinstance(other, Constant) or not isinstance(one, Tensor):
        raise node.fail(
            "divides by a value that depends on the input, which is not piecewise linear; it must be constant"
        )
    spread, c = to.with_constant(node, one, other.array.astype(np.float64))
    if (c == 0).any():
        raise node.fail("divides by 0; train the network again, or export it without this node")
    return Tensor(spread.shape, to.blocks.divide(spread.value, c))


def _mean_of_operands(to: Operations, node: Node, operands: Operands) -> Tensor:
    total = _sum(to, node, operands)
    return Tensor(total.shape, to.blocks.divide(total.value, np.full(total.value.n, float(len(operands)))))


def _batch_normalization(to: Operations, node: Node, operands: Operands) -> Tensor:
    """Return scale (x - mean) + shift with scale = gamma / sqrt(variance + epsilon), by channel."""
    given = node.take(epsilon=float, momentum=float, training_mode=(0,), spatial=(1,))
    x = to.first(node, operands)
    n = x.shape[1] if len(x.shape) > 1 else 1
    gamma, shift, mean, variance = (to.floats(node, operands, place) for place in range(1, 5))
    if not gamma.shape == shift.shape == mean.shape == variance.shape == (n,):
        raise node.misfit(f"has constants of shape {gamma.shape}, they must be ({n},)")
    spread = variance + float(given.get("epsilon", _EPSILON))
    if not (spread > 0).all():
        raise node.fail("has a variance that is not positive; train the network again")
    by_channel = (1, n, *(1 for _ in x.shape[2:]))
    centre, scale, shift = (
        np.broadcast_to(c.reshape(by_channel), x.shape).ravel() for c in (-mean, gamma / np.sqrt(spread), shift)
    )
    value = to.blocks.linear(to.blocks.shift(x.value, centre), diagonal(scale))
    return Tensor(x.shape, to.blocks.shift(value, shift))


def _scaler(to: Operations, node: Node, operands: Operands) -> Tensor:
    """Return (x - offset) scale along the last dimension, a StandardScaler or MinMaxScaler of scikit-learn."""
    given = node.take(offset=Floats, scale=Floats)
    x = to.first(node, operands)
    offset, scale = (np.array(given.get(name, ()), dtype=np.float64) for name in ("offset", "scale"))
    n = x.shape[-1] if x.shape else 1
    if len(offset) != len(scale) or len(scale) not in (1, n):
        raise node.misfit(f"has {len(offset)} offsets and {len(scale)} scales for values {list(x.shape)}")
    centre, factor = (np.broadcast_to(c, x.shape).ravel() for c in (-offset, scale))
    return Tensor(x.shape, to.times(to.blocks.shift(x.value, centre), factor))


def _gemm(to: Operations, node: Node, operands: Operands) -> Tensor:
    given = node.take(alpha=float, beta=float, transA=(0, 1), transB=(0, 1))
    sides: list[Operand] = []
    for operand, flag in zip(two(node, operands[:2]), ("transA", "transB"), strict=True):
        if len(operand.shape) != 2:
            raise node.fail(f"takes an operand of shape {list(operand.shape)}; put a Flatten before it")
        if not given.get(flag):
            sides.append(operand)
        elif isinstance(operand, Constant):
            sides.append(Constant(operand.array.T))
        else:
            sides.append(operand.pick(operand.places().T))
    result = _product(to, node, sides[0], sides[1], float(given.get("alpha", 1.0)))
    bias = operands[2] if len(operands) > 2 else None
    if bias is None:
        return result
    beta = float(given.get("beta", 1.0))
    if isinstance(bias, Tensor):
        scaled = Tensor(bias.shape, to.times(bias.value, np.full(bias.value.n, beta)))
        return _add(to, node, result, scaled)
    c = product(bias.array.astype(np.float64), np.full(bias.shape, beta))
    if c is None:
        raise node.fail(f"has beta = {beta}, whose product with its bias is not a float64; export it with beta = 1")
    if not fits_into(bias.shape, result.shape):
        raise node.misfit(f"has a bias of shape {bias.shape}, its values have {list(result.shape)}")
    return _add(to, node, result, Constant(c))


def _matmul(to: Operations, node: Node, operands: Operands) -> Tensor:
    node.take()
    one, other = two(node, operands)
    return _product(to, node, one, other)


def _product(to: Operations, node: Node, one: Operand, other: Operand, factor: float = 1.0) -> Tensor:
    """Return the matrix product times a factor; one side is constant, a matrix or a vector."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        raise node.fail(
            "multiplies two values that both depend on the input, which is not piecewise linear; one must be constant"
        )
    from_right = isinstance(one, Tensor)
    tensor, weights = (one, other) if from_right else (other, one)
    assert isinstance(tensor, Tensor) and isinstance(weights, Constant)  # noqa: S101 - constants were folded
    B = product(weights.array.astype(np.float64), np.full(weights.shape, factor))
    if B is None:
        raise node.fail(
            f"has alpha = {factor}, whose product with its weights is not a float64; export it with alpha = 1"
        )
    if B.ndim not in (1, 2) or 0 in B.shape or not tensor.shape:
        raise node.misfit(f"has weights of shape {B.shape}, they must be a matrix")
    W = (B.T if B.ndim == 2 else B[None, :]) if from_right else (B if B.ndim == 2 else B[None, :])
    places = tensor.places()
    if not from_right and places.ndim > 1:
        places = np.swapaxes(places, -1, -2)  # so that the summed dimension is the last
    if W.shape[1] != places.shape[-1]:
        raise node.misfit(f"takes {W.shape[1]} values by its weights, but gets {places.shape[-1]}")
    rows = places.reshape(-1, W.shape[1])
    value = to.blocks.linear(to.in_order(tensor, rows), repeated(W, len(rows)))
    result = np.arange(value.n).reshape(*places.shape[:-1], len(W))
    if not from_right and places.ndim > 1:
        result = np.swapaxes(result, -1, -2)
    if B.ndim == 1:
        result = result[..., 0] if from_right or places.ndim == 1 else result[..., 0, :]
    return Tensor((value.n,), value).pick(result)


def _cast(to: Operations, node: Node, operands: Operands) -> Tensor:
    """Return the values as they are: exact arithmetic has no types, and rounding is left to the deployed network."""
    from onnx import TensorProto

    given = node.take(to=(TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE), saturate=(0, 1))
    if "to" not in given:
        raise node.misfit("does not say to which type")
    return to.first(node, operands)


def fits_into(shape: Shape, other: Shape) -> bool:
    """Return whether broadcasting spreads one shape over the other, as it is."""
    sizes = zip(reversed(shape), reversed(other), strict=False)
    return len(shape) <= len(other) and all(n in (1, m) for n, m in sizes)


def repeated(W: Float64Array, times: int) -> Matrix:
    """Return W for each of so many rows of values: dense for one, block diagonal for several."""
    if times == 1:
        return np.ascontiguousarray(W)
    from scipy.sparse import csr_array, eye_array, kron

    if W.size * times > MAX_VALUES * 20:
        raise NetworkError(f"repeats a matrix of {W.size} weights {times} times, which is too often to be read")
    return csr_array(kron(eye_array(times), csr_array(W), format="csr"))


ARITHMETIC: dict[str, Operator] = {
    "Add": _elementwise_add,
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Div": _divide,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Mean": _mean_of_operands,
    "Mul": _multiply,
    "Neg": _negate,
    "Scaler": _scaler,
    "Sub": _elementwise_subtract,
    "Sum": _sum,
}
"""The operators of this module by name."""
