"""Values of a graph as exact affine maps of blocks, and the blocks that its ReLUs make of them.

A block is a vector that a layer will compute: the input of the network, or a value, with a ReLU behind it or none. A
value is (sum over blocks B of W_B u_B + b) / divisor. Maps are joined only where that is exact; elsewhere the value so
far becomes a block of its own. `layering` makes layers of the blocks.

Dimensions: a value has n numbers, W_B is (n, n_B), b and divisor are (n,).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import Matrix
from vnnbench.instances.onnx_files.affine_maps import MAX_VALUES, diagonal

MAX_BLOCKS = 10_000
MAX_NEURONS, MAX_DENSE_WEIGHTS, MAX_SPARSE_WEIGHTS = 1 << 19, 1 << 25, 1 << 24
"""Of a graph in all: nodes of a few bytes can share a constant, or be windows over a large image. A sparse weight takes
several times the memory of a dense one, and a neuron that of many weights."""

IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """An affine map of blocks; divisor: positive, None where it is 1 everywhere."""

    terms: dict[int, Matrix]
    b: Float64Array
    divisor: Float64Array | None = None

    @property
    def n(self) -> int:
        return len(self.b)

    def rows(self, places: IndexArray) -> Value:
        """Return the numbers at these places, in their order; one may come twice."""
        terms = {block: W[places] for block, W in self.terms.items()}
        return Value(terms, self.b[places], None if self.divisor is None else self.divisor[places])

    def times_signs(self, signs: Float64Array) -> Value:
        """Return the numbers times 1 or -1 each."""
        if (signs == 1).all():
            return self
        terms = {block: scaled_rows(W, signs) for block, W in self.terms.items()}
        return replace(self, terms=terms, b=self.b * signs)

    def is_picked(self) -> bool:
        """Return whether every number is one of a block's, minus one, or 0: products with it are exact."""
        if self.divisor is not None or self.b.any():
            return False
        counts = np.zeros(self.n, dtype=np.int64)
        for W in self.terms.values():
            if not (np.abs(_data(W)) == 1).all():
                return False
            counts += _row_counts(W)
        return bool((counts <= 1).all())


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A vector that a layer computes: a value, through ReLUs where `relu`. The input of the network has no value."""

    n: int
    value: Value | None
    relu: bool


class Blocks:
    """The blocks so far; block 0 is the input of the network."""

    def __init__(self, n_inputs: int) -> None:
        self.blocks = [Block(n_inputs, None, relu=False)]
        self._weights = WeightCount()
        self._own_block: dict[Value, Value] = {}

    def input(self) -> Value:
        """Return the input of the network."""
        return self._whole(0)

    def constant(self, numbers: Float64Array) -> Value:
        """Return numbers that depend on nothing."""
        return Value({}, numbers)

    def linear(self, value: Value, W: Matrix) -> Value:
        """Return W v."""
        self._weights.add(W)
        # The weights of a number that was picked twice would be added up, and rounded.
        if not value.is_picked() or any((_column_counts(M) > 1).any() for M in value.terms.values()):
            value = self.as_block(value)
        if (block := self._only_block(value)) is not None:
            return Value({block: W}, np.zeros(W.shape[0]))
        return Value({block: _product(W, M) for block, M in value.terms.items()}, np.zeros(W.shape[0]))

    def shift(self, value: Value, c: Float64Array) -> Value:
        """Return v + c."""
        if value.divisor is not None or (total := _plus(value.b, c)) is None:
            value, total = self.as_block(value), c
        return replace(value, b=total)

    def add(self, one: Value, other: Value) -> Value:
        """Return the sum of two values."""
        one, other = (self.as_block(v) if v.divisor is not None else v for v in (one, other))
        total = _exact_total(one, other)
        if total is None:  # ones add up to ones and twos
            total = _exact_total(self.as_block(one), self.as_block(other))
        assert total is not None  # noqa: S101
        return total

    def divide(self, value: Value, c: Float64Array) -> Value:
        """Return v / c, no c_i being 0."""
        if value.divisor is not None:
            value = self.as_block(value)
        divisor = None if (np.abs(c) == 1).all() else np.abs(c)
        return replace(value.times_signs(np.sign(c)), divisor=divisor)

    def relu(self, value: Value) -> Value:
        """Return max(v, 0); nothing new of what ReLUs gave."""
        block = self._only_block(value)
        if block is not None and self.blocks[block].relu:
            return value
        return self._append(value, relu=True)

    def maximum(self, one: Value, other: Value) -> Value:
        """Return max(v, w) = w + max(v - w, 0), number by number."""
        other = self.shared(other)
        difference = self.add(one, other.times_signs(-np.ones(other.n)))
        return self.add(other, self.relu(difference))

    def shared(self, value: Value) -> Value:
        """Return a value for more than one use: its long rows are written once."""
        return value if value.is_picked() or not value.terms else self.as_block(value)

    def as_block(self, value: Value) -> Value:
        """Return the value as the numbers of a block, the same one for the same value."""
        if self._only_block(value) is not None:
            return value
        if value not in self._own_block:
            self._own_block[value] = self._append(value, relu=False)
        return self._own_block[value]

    def stack(self, values: Sequence[Value]) -> Value:
        """Return the numbers of several values, one behind the other."""
        from scipy.sparse import coo_array, csr_array

        if len(values) == 1:
            return values[0]
        n, start = sum(value.n for value in values), 0
        entries: dict[int, list[tuple[IndexArray, IndexArray, Float64Array]]] = {}
        for value in values:
            for block, W in value.terms.items():
                own = csr_array(W).tocoo()
                entries.setdefault(block, []).append((own.row + start, own.col, own.data))
            start += value.n
        terms: dict[int, Matrix] = {}
        for block in sorted(entries):
            rows, columns, data = (np.concatenate(parts) for parts in zip(*entries[block], strict=True))
            terms[block] = csr_array(coo_array((data, (rows, columns)), shape=(n, self.blocks[block].n)))
        divisor = None
        if any(value.divisor is not None for value in values):
            divisor = np.concatenate([np.ones(v.n) if v.divisor is None else v.divisor for v in values])
        return Value(terms, np.concatenate([v.b for v in values]), divisor)

    def _append(self, value: Value, *, relu: bool) -> Value:
        if len(self.blocks) > MAX_BLOCKS or value.n > MAX_VALUES:
            raise NetworkError(
                f"has more than {MAX_BLOCKS} layers, or {MAX_VALUES} values in one, the most that is read"
            )
        self.blocks.append(Block(value.n, value, relu))
        return self._whole(len(self.blocks) - 1)

    def _whole(self, block: int) -> Value:
        n = self.blocks[block].n
        return Value({block: diagonal(np.ones(n))}, np.zeros(n))

    def _only_block(self, value: Value) -> int | None:
        """Return the block whose numbers these are, all and in order; None if there is no such block."""
        if len(value.terms) != 1 or value.divisor is not None or value.b.any():
            return None
        ((block, W),) = value.terms.items()
        n = self.blocks[block].n
        if isinstance(W, np.ndarray) or W.shape != (n, n) or W.nnz != n:
            return None
        whole = (W.indptr == np.arange(n + 1)).all() and (W.indices == np.arange(n)).all() and (W.data == 1).all()
        return block if whole else None


@dataclass(slots=True)
class WeightCount:
    """A count of neurons and weights so far."""

    neurons: int = 0
    dense: int = 0
    sparse: int = 0

    def add(self, W: Matrix) -> None:
        """Count those of a matrix. Raises `NetworkError`: they are too many."""
        self.neurons += W.shape[0]
        if self.neurons > MAX_NEURONS:
            raise NetworkError(f"has more than {MAX_NEURONS} neurons in all, the most that is read")
        if isinstance(W, np.ndarray):
            self.dense += W.size
        else:
            self.sparse += W.size
        if self.dense > MAX_DENSE_WEIGHTS or self.sparse > MAX_SPARSE_WEIGHTS:
            raise NetworkError(
                f"has more than {MAX_DENSE_WEIGHTS} weights in matrices, or {MAX_SPARSE_WEIGHTS} in windows or "
                "branches, the most that is read"
            )


def _plus(b: Float64Array, c: Float64Array) -> Float64Array | None:
    """Return b + c like `exact_sum`; c itself where b is 0, so that a zero keeps its sign."""
    return c if not b.any() else exact_sum(b, c)


def exact_sum(a: Float64Array, b: Float64Array) -> Float64Array | None:
    """Return a + b where float64 holds it, else None. Source: Knuth's TwoSum gives the error exactly."""
    with np.errstate(invalid="ignore"):  # the error of an infinite sum is not a number
        total = a + b
        b_seen = total - a
        return total if ((a - (total - b_seen)) + (b - b_seen) == 0).all() else None


def scaled_rows(W: Matrix, factors: Float64Array) -> Matrix:
    """Return W with its rows times these factors."""
    return W * factors[:, None] if isinstance(W, np.ndarray) else diagonal(factors) @ W


def _exact_total(one: Value, other: Value) -> Value | None:
    """Return the sum of two values without divisors; None where float64 does not hold it."""
    b = exact_sum(one.b, other.b)
    if b is None:
        return None
    terms = dict(one.terms)
    for block, W in other.terms.items():
        if block not in terms:
            terms[block] = W
            continue
        total = _exact_matrix_sum(terms[block], W)
        if total is None:
            return None
        terms[block] = total
    return Value({block: W for block, W in terms.items() if _data(W).any()}, b)


def _exact_matrix_sum(one: Matrix, other: Matrix) -> Matrix | None:
    from scipy.sparse import csr_array

    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return exact_sum(one, other)
    one, other = csr_array(one), csr_array(other)
    total = csr_array(one + other)
    both = csr_array((one != 0).multiply(other != 0)).nonzero()
    if len(both[0]) and exact_sum(np.asarray(one[both]).ravel(), np.asarray(other[both]).ravel()) is None:
        return None
    total.eliminate_zeros()
    return total


def _product(W: Matrix, M: Matrix) -> Matrix:
    """Return W M for an M that has at most one number in each row and column, 1 or -1."""
    from scipy.sparse import csr_array

    product = csr_array(csr_array(W) @ csr_array(M))
    product.sort_indices()
    return product


def _data(W: Matrix) -> Float64Array:
    return W.ravel() if isinstance(W, np.ndarray) else W.data


def _row_counts(W: Matrix) -> IndexArray:
    counts: IndexArray = np.asarray((W != 0).sum(axis=1)).ravel().astype(np.int64)
    return counts


def _column_counts(W: Matrix) -> IndexArray:
    counts: IndexArray = np.asarray((W != 0).sum(axis=0)).ravel().astype(np.int64)
    return counts
