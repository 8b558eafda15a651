"""The formulation `tight`: the same problem as `plain`, with the same optimum, in fewer and stronger rows.

Each ingredient keeps an optimal network of the problem:

big_m       A big-M for each sample: the range of its pre-activations over the boxes.
merged      Samples with equal inputs have one set of columns, with their number in the objective. The errors that no
            network avoids, because a group has several classes, are the column `one`.
complement  With two classes the second output is one minus the first: the box of bF maps onto itself under bF -> eps -
            bF, so the better of two outputs can stand for both. The second has no columns.
monotone    With weights that are not negative, a neuron that is on at a sample is on wherever no input is smaller
            (rows less_S_T_I: st_S <= st_T).
idle        Samples without an active neuron have the same outputs: the columns idle_K, with rows idleu_T_K and
            idlel_T_K: |stF - idle| <= sum_I st.
order       Neurons are interchangeable: those that are on at the first sample come first, then the others that are used
            (rows order_I: st_0_I >= st_0_I+1, and used_I: KS_I >= KS_I+1).

E is stF, or 1 - stF for the sample's class, so it takes the place of stF:

    off_T_I  sp <= upper st                  offF_T_K  spF <= upper stF
    on_T_I   sp >= eps - (eps - lower) (1 - st)   onF_T_K   spF >= eps - (eps - lower) (1 - stF)
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.formulations.milp import MilpBuilder, MilpModel
from vnnbench.instances.step_networks.train_property import TrainProperty, hidden_ranges
from vnnbench.instances.train_models.blocks import Blocks
from vnnbench.instances.train_models.columns import ONE, Indices
from vnnbench.instances.train_models.network_rows import NetworkColumns, Ranges, Samples, add_network, model_comments


class Ingredient(StrEnum):
    """What distinguishes `tight` from `plain`; see the module's docstring."""

    BIG_M = "big_m"
    MERGED = "merged"
    COMPLEMENT = "complement"
    MONOTONE = "monotone"
    IDLE = "idle"
    ORDER = "order"


ALL = frozenset(Ingredient)
MAX_COMPARED, MAX_PAIRS = 2_000, 20_000
"""The most samples that are compared with each other, and pairs of them that get rows, for `monotone`."""


def encode_tight(prop: TrainProperty, name: str, ingredients: Set[Ingredient] = ALL) -> MilpModel:
    """Return the model of a training problem.

    ingredients: those that are used; fewer are for measuring what each is worth.
    """
    builder = MilpBuilder(name, model_comments(prop, "tight"))
    blocks = Blocks(builder)
    groups = _Groups(prop, merged=Ingredient.MERGED in ingredients)
    is_complement = Ingredient.COMPLEMENT in ingredients and prop.n_classes == 2
    outputs = np.arange(1 if is_complement else prop.n_classes, dtype=np.int64)
    ranges = _ranges(prop, groups.inputs) if Ingredient.BIG_M in ingredients else _one_range(prop)
    net = add_network(blocks, prop, groups.samples, outputs, ranges)
    _add_hidden_steps(blocks, prop, groups, net, ranges)
    errors = _add_errors(blocks, prop, groups, net, ranges, outputs, 2 if is_complement else 1)
    if Ingredient.MONOTONE in ingredients and prop.weight.lower >= 0:
        _add_monotone(blocks, groups, net)
    if Ingredient.IDLE in ingredients:
        _add_idle(blocks, groups, net, errors)
    if Ingredient.ORDER in ingredients and prop.neurons > 1:
        _add_order(blocks, net)
    return builder.build()


class _Groups:
    """Groups of training samples with equal inputs.

    numbers: the first sample of each. classes (T', K): how many samples of each class a group has. of_first (T', K):
    whether the output is that of the first sample's class.
    """

    def __init__(self, prop: TrainProperty, *, merged: bool) -> None:
        data = prop.training
        group = np.arange(data.n_samples)
        numbers = group
        if merged:
            _, first, inverse = np.unique(data.inputs, axis=0, return_index=True, return_inverse=True)
            numbers, place = np.unique(first, return_inverse=True)
            group = place[inverse.ravel()]
        self.inputs: Float64Array = data.inputs[numbers]
        self.classes = np.zeros((len(numbers), prop.n_classes), dtype=np.int64)
        np.add.at(self.classes, (group, data.classes), 1)
        self.samples = Samples(numbers.astype(np.int64), self.classes.sum(axis=1))
        self.of_first: BoolArray = np.arange(prop.n_classes) == data.classes[numbers][:, None]


def _ranges(prop: TrainProperty, inputs: Float64Array) -> Ranges:
    """Return the exact range of every pre-activation over the boxes."""
    lower, upper = hidden_ranges(inputs, prop.weight, prop.bias, prop.weight_sum_limit)
    return Ranges(lower[:, None], upper[:, None], *prop.output_range)


def _one_range(prop: TrainProperty) -> Ranges:
    return Ranges(-prop.big_m, prop.big_m, -prop.big_m, prop.big_m)


def _add_hidden_steps(
    blocks: Blocks, prop: TrainProperty, groups: _Groups, net: NetworkColumns, ranges: Ranges
) -> None:
    numbers, lower, upper = (groups.samples.numbers, net.neurons), np.asarray(ranges.lower), np.asarray(ranges.upper)
    blocks.rows("off", numbers, "L", 0.0, [(net.sp, 1.0), (net.st, -upper)])
    blocks.rows("on", numbers, "G", lower, [(net.sp, 1.0), (net.st, lower - prop.epsilon)])


@dataclass(frozen=True, slots=True, eq=False)
class _Errors:
    """The columns E (T', K'), with stF = constant + sign E; and the numbers of the outputs."""

    columns: Indices
    constant: Float64Array
    sign: Float64Array
    outputs: Indices


def _add_errors(
    blocks: Blocks,
    prop: TrainProperty,
    groups: _Groups,
    net: NetworkColumns,
    ranges: Ranges,
    outputs: Indices,
    times: int,
) -> _Errors:
    """Add the errors of the outputs, each for `times` outputs.

    E is the error of a group's first sample; others of the group with the same wanted output share it, and those with
    the other have 1 - E.
    """
    of_first, of_class = groups.of_first[:, outputs], groups.classes[:, outputs]
    counts, eps = groups.samples.counts[:, None], prop.epsilon
    lower, upper = ranges.output_lower, ranges.output_upper
    alike = np.where(of_first, of_class, counts - of_class)
    others = counts - alike
    numbers = (groups.samples.numbers, outputs)
    E = blocks.binaries("E", numbers, times * (alike - others))
    if others.any():
        builder = blocks.builder
        builder.set_objective(builder.add_column(ONE, 1.0, 1.0), float(times * others.sum()))
    constant, sign = np.where(of_first, 1.0, 0.0), np.where(of_first, -1.0, 1.0)
    blocks.rows("offF", numbers, "L", upper * constant, [(net.output, 1.0), (E, -upper * sign)])
    on = eps - lower
    blocks.rows("onF", numbers, "G", lower + on * constant, [(net.output, 1.0), (E, -on * sign)])
    return _Errors(E, constant, sign, outputs)


def _add_monotone(blocks: Blocks, groups: _Groups, net: NetworkColumns) -> None:
    """Add st_S <= st_T for samples with inputs S <= T, unless another sample lies between them."""
    smaller, larger = np.nonzero(_neighbours(groups.inputs[:MAX_COMPARED]))
    smaller, larger = smaller[:MAX_PAIRS], larger[:MAX_PAIRS]
    numbers, neurons = groups.samples.numbers.tolist(), net.neurons.tolist()
    row_names = [
        f"less_{numbers[s]}_{numbers[t]}_{i}"
        for s, t in zip(smaller.tolist(), larger.tolist(), strict=True)
        for i in neurons
    ]
    entries = np.stack([net.st[smaller], net.st[larger]], axis=-1).ravel()
    ends = 2 * np.arange(len(row_names) + 1)
    blocks.builder.add_rows(row_names, "L" * len(row_names), 0.0, ends, entries, np.tile([1.0, -1.0], len(row_names)))


def _neighbours(X: Float64Array) -> BoolArray:
    """Return whether X[s] <= X[t] in every input (T, T), with no other sample between; of equal ones one is smaller."""
    below = np.ones((len(X), len(X)), dtype=bool)
    for x in X.T:  # an array of all inputs of all pairs would be large
        below &= x[:, None] <= x
        if np.count_nonzero(below) == len(X):
            break
    below &= ~(below.T & np.tri(len(X), dtype=bool))
    between = below.astype(np.float32) @ below.astype(np.float32) > 0
    return np.asarray(below & ~between)


def _add_idle(blocks: Blocks, groups: _Groups, net: NetworkColumns, errors: _Errors) -> None:
    """Add idle (K') and |stF - idle| <= sum_I st."""
    idle = blocks.binaries("idle", (errors.outputs,))
    numbers = (groups.samples.numbers, errors.outputs)
    for letter, sense, sign in (("idleu", "L", -1.0), ("idlel", "G", 1.0)):
        steps = [(net.st[:, [i]], sign) for i in range(len(net.neurons))]
        blocks.rows(letter, numbers, sense, -errors.constant, [(errors.columns, errors.sign), (idle, -1.0), *steps])


def _add_order(blocks: Blocks, net: NetworkColumns) -> None:
    """Add the order of neighbours I and I + 1, at the first sample and by the kill switches."""
    first = (net.neurons[:-1],)
    blocks.rows("order", first, "G", 0.0, [(net.st[0, :-1], 1.0), (net.st[0, 1:], -1.0)])
    if net.switches is not None:
        blocks.rows("used", first, "G", 0.0, [(net.switches[:-1], 1.0), (net.switches[1:], -1.0)])
