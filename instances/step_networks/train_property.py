"""The problem of training a sparse network of step functions: its data, its boxes, and its terms.

The network has one hidden layer of n neurons. For a sample x (m,) and its class,

    sp_i = w_i x + b_i        st_i = 1 if sp_i >= eps, 0 if sp_i <= 0
    spF_k = sum_i q_ik st_i + bF_k        stF_k = 1 if spF_k >= eps, 0 if spF_k <= 0
    E_k = 1 - stF_k for the sample's class k, else stF_k

and no sample may have a pre-activation between 0 and eps. Over all training samples, minimize

    sum E + 0.1 (weights sum w + activations sum st + neurons sum KS)

where the three flags are 0 or 1, sums are not divided by anything, and KS_i is 1 if neuron i is active on some
training sample. A network predicts the first class whose output is 1, of several too, and class 0 where none is. The
value of the problem is minus that objective. 0.1 is the float64 number of this decimal.

Hidden weights lie in [-1, 1]; with the flag `weights` they are integers from 0 to `weight_limit`, and their sum may
have a limit. In an integer network all weights and biases are integers, and inputs are integers from 0 to 10. A weight
of an input that is 0 in all training samples is 0.

Source: [R] Rosenhahn 2023, JOTA 199:931-954, section 3. Flags (0, 0, 1) are the model of Thorbjarnarson and
Yorke-Smith 2023, PLOS ONE 18(2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import ClassVar

import numpy as np

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.datasets.labelled_data import LabelledData, Split
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.limits import MAX_MPS_NAMES

FACTOR = 0.1
"""The weight of every sparsity term beside the errors."""
MIN_EPSILON, EPSILON_PER_BIG_M, EPSILON_GRID = 1e-3, 4e-5, 4096
"""The least eps; its least ratio to the big-M of `plain`, so that a binary within a solver's integrality tolerance of
1e-5 moves a pre-activation by at most eps / 4; and the denominator of eps and of all boxes, so that eps / 2 is exact
and no reader of a model drops one of these numbers."""
MAX_NEURONS, MAX_STEPS = 1_000, 2_000_000
"""The most hidden neurons, and the most steps of a network, hidden and of its outputs, at all samples: ten times those
for which a model may have columns."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Which sparsity terms the objective has, and whether all weights and biases are integers.

    weights, activations, neurons: the flags b, c, d of [R], Table 3.
    """

    weights: bool
    activations: bool
    neurons: bool
    integer: bool = False

    @property
    def name(self) -> str:
        """The name in catalogues and reports: the flags, such as 101, or int."""
        return "int" if self.integer else "".join(str(int(flag)) for flag in self.flags)

    @property
    def flags(self) -> tuple[bool, bool, bool]:
        return (self.weights, self.activations, self.neurons)


VARIANTS = (
    *(Variant(bool(code & 4), bool(code & 2), bool(code & 1)) for code in range(8)),
    Variant(True, True, True, integer=True),
)
"""The nine variants of [R], Table 3: eight combinations of flags, and the integer network with all of them."""


@dataclass(frozen=True, slots=True)
class Box:
    """An interval for each parameter of one kind; integer: only integers in it."""

    lower: float
    upper: float
    integer: bool


@dataclass(frozen=True, slots=True, eq=False)
class TrainProperty:
    """One training problem.

    neurons: n. weight, bias: boxes of w and b. output_weight, output_bias: boxes of q and bF. weight_sum_limit: the
    largest sum of all hidden weights, None without one. epsilon: eps.
    """

    family: ClassVar[str] = "train"

    split: Split
    neurons: int
    variant: Variant
    weight: Box
    bias: Box
    output_weight: Box
    output_bias: Box
    weight_sum_limit: int | None
    epsilon: float

    @property
    def training(self) -> LabelledData:
        return self.split.training

    @property
    def n_inputs(self) -> int:
        return self.split.training.n_inputs

    @property
    def n_classes(self) -> int:
        return len(self.split.classes)

    @property
    def used_inputs(self) -> BoolArray:
        """Return which inputs (m,) are nonzero in some training sample; the others have no weights."""
        return np.asarray((self.training.inputs != 0).any(axis=0))

    @property
    def big_m(self) -> float:
        """Return the one big-M of `plain`: the largest pre-activation, or how far one can be below eps."""
        ranges = (_hidden_range(self.training, self.weight, self.bias, self.weight_sum_limit), self.output_range)
        return max(max(upper, self.epsilon - lower) for lower, upper in ranges)

    @property
    def output_range(self) -> tuple[float, float]:
        """Return bounds on every pre-activation of an output."""
        reach = self.neurons * self.output_weight.upper
        return self.output_bias.lower - reach, self.output_bias.upper + reach


def train_property(
    split: Split, neurons: int, variant: Variant, weight_limit: int = 1, weight_sum_limit: int | None = None
) -> TrainProperty:
    """Return the problem with the boxes and eps that its data need.

    A neuron (w, b) with continuous weights keeps its steps when it is scaled, so |b| <= 1 excludes none that |w| <= 1
    allows but for eps. With integer weights the bias reaches the largest weighted sum of a training sample. The box of
    bF maps onto itself under bF -> eps - bF, which complements an output. Raises `PropertyError` if a rule of
    `check_property` is broken: most likely, the data need a big-M with which solvers' tolerances exceed eps = 1.
    """
    if not variant.weights:
        weight, bias = Box(-1.0, 1.0, False), Box(-1.0, 1.0, False)
    else:
        weight = Box(0.0, float(weight_limit), True)
        largest = _hidden_range(split.training, weight, Box(0.0, 0.0, True), weight_sum_limit)[1]
        bias = Box(-float(max(1, ceil(largest))), 1.0, variant.integer)
    if variant.integer:
        epsilon, output_bias = 1.0, Box(1.0 - neurons, float(neurons), True)
    else:
        hidden = _hidden_range(split.training, weight, bias, weight_sum_limit)
        size = max(hidden[1], -hidden[0], neurons + 1.0)
        wanted = max(MIN_EPSILON, EPSILON_PER_BIG_M * size / (1 - EPSILON_PER_BIG_M))
        epsilon = ceil(wanted * EPSILON_GRID) / EPSILON_GRID
        output_bias = Box(epsilon - 1.0, 1.0, False)
    prop = TrainProperty(
        split, neurons, variant, weight, bias, Box(-1.0, 1.0, variant.integer), output_bias, weight_sum_limit, epsilon
    )  # fmt: skip
    check_property(prop)
    return prop


def check_property(prop: TrainProperty) -> None:
    """Check that boxes, eps and sizes keep the rules on which formulations and judge rely. Raises `PropertyError`.

    It makes no array of the size of a network, so it comes before all that do.
    """
    if (broken := next(_broken_rules(prop), None)) is not None:
        raise PropertyError(f"data set {prop.split.dataset}: {broken}")


def _broken_rules(prop: TrainProperty) -> Iterator[str]:
    n, m, K, split = prop.neurons, prop.n_inputs, prop.n_classes, prop.split
    n_samples = split.training.n_samples + split.test.n_samples
    if not 1 <= n <= MAX_NEURONS:
        yield f"there are {n} neurons; there must be 1 to {MAX_NEURONS}"
    if n * (m + K + 1) + K > MAX_MPS_NAMES:
        yield f"a network of {n} neurons has more than {MAX_MPS_NAMES} weights and biases; use fewer neurons or inputs"
    if n_samples * (n + K) > MAX_STEPS:
        yield f"a network of {n} neurons has more than {MAX_STEPS} steps at {n_samples} samples; use fewer of them"
    if min(split.training.n_samples, split.test.n_samples) == 0:
        yield "there must be a training sample and a test sample"
    if prop.variant.integer and any((data.inputs % 1 != 0).any() for data in (split.training, split.test)):
        yield "inputs of an integer network must be integers"
    if prop.variant.weights and prop.weight.lower != 0:
        yield "sparse weights must lie in a box from 0 on"
    if prop.weight_sum_limit is not None and not prop.variant.weights:
        yield "only sparse weights may have a weight_sum_limit"
    if prop.output_weight.lower != -prop.output_weight.upper:
        yield "the box of output weights must be symmetric"
    if Fraction(prop.output_bias.lower) + Fraction(prop.output_bias.upper) != Fraction(prop.epsilon):
        yield "the ends of the box of output biases must have the sum epsilon"
    if prop.epsilon < max(MIN_EPSILON, EPSILON_PER_BIG_M * prop.big_m) or prop.epsilon > 1:
        yield (
            f"a big-M of {prop.big_m:g} needs an epsilon of {max(MIN_EPSILON, EPSILON_PER_BIG_M * prop.big_m):g} to 1, "
            f"which {prop.epsilon:g} is not, or solvers' tolerances exceed it; use fewer inputs or a weight_sum_limit"
        )


def hidden_ranges(
    inputs: Float64Array, weight: Box, bias: Box, weight_sum_limit: int | None
) -> tuple[Float64Array, Float64Array]:
    """Return the exact bounds (T,) of a hidden pre-activation at each sample; sums of inputs on the grid do not round.

    inputs: (T, m). The boxes are those of the hidden weights and biases.
    """
    sums = inputs.sum(axis=1)
    above = weight.upper * sums
    if weight_sum_limit is not None:
        above = np.minimum(above, weight_sum_limit * inputs.max(axis=1, initial=0.0))
    return bias.lower + weight.lower * sums, bias.upper + above


def _hidden_range(data: LabelledData, weight: Box, bias: Box, weight_sum_limit: int | None) -> tuple[float, float]:
    """Return bounds on every hidden pre-activation, over all samples."""
    lower, upper = hidden_ranges(data.inputs, weight, bias, weight_sum_limit)
    return float(lower.min()), float(upper.max())
