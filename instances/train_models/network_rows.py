"""The part of a training MILP that both formulations share: the network at each sample, without its steps.

For every sample T, hidden neuron I and output K, with q in [-Q, Q]:

    pre_T_I    sp = w x + b
    out_T_K    spF = sum_I p + bF
    pu_T_I_K   p <= Q st            qu_T_I_K   p - q <= Q (1 - st)
    pl_T_I_K   p >= -Q st           ql_T_I_K   p - q >= -Q (1 - st)
    limit      sum w <= weight_sum_limit
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.step_networks.train_property import FACTOR, TrainProperty
from vnnbench.instances.train_models.blocks import Blocks
from vnnbench.instances.train_models.columns import Indices


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples of a model: their numbers (T',) among the training samples, and how many of these each stands for."""

    numbers: Indices
    counts: Indices


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Bounds on pre-activations: hidden (T', n) or one number, and of the outputs."""

    lower: npt.ArrayLike
    upper: npt.ArrayLike
    output_lower: float
    output_upper: float


@dataclass(frozen=True, slots=True, eq=False)
class NetworkColumns:
    """Columns: w (n, m'), sp and st (T', n), spF (T', K'), ks (n,) or None; and the numbers of neurons and outputs."""

    w: Indices
    sp: Indices
    st: Indices
    spF: Indices
    ks: Indices | None
    neurons: Indices
    outputs: Indices


def add_network(
    blocks: Blocks, prop: TrainProperty, samples: Samples, inputs: Indices, outputs: Indices, ranges: Ranges
) -> NetworkColumns:
    """Add the columns and rows of the network at the samples, and the sparsity terms of the objective.

    inputs: the numbers of the inputs that have weights. outputs: those of the outputs that have columns.
    """
    I = np.arange(prop.neurons, dtype=np.int64)
    Q = prop.output_weight.upper
    used = prop.used_inputs[inputs]
    w = blocks.columns(
        "w", (I, inputs), prop.weight.lower * used, prop.weight.upper * used, integer=prop.weight.integer
    )  # fmt: skip
    b = blocks.parameters("b", (I,), prop.bias)
    q = blocks.parameters("q", (I, outputs), prop.output_weight)
    c = blocks.parameters("bF", (outputs,), prop.output_bias)
    ks = blocks.columns("KS", (I,), 0.0, 1.0, integer=True) if prop.variant.neurons else None
    T = samples.numbers
    sp = blocks.columns("sp", (T, I), ranges.lower, ranges.upper, integer=False)
    st = blocks.columns("st", (T, I), 0.0, 1.0, integer=True)
    p = blocks.columns("p", (T, I, outputs), -Q, Q, integer=False)
    spF = blocks.columns("spF", (T, outputs), ranges.output_lower, ranges.output_upper, integer=False)
    _add_pre_activations(blocks, prop.training.inputs[T][:, inputs], (T, I), w, b, sp)
    products = (T, I, outputs)
    wide_st = st[:, :, None]
    blocks.rows("pu", products, "L", 0.0, [(p, 1.0), (wide_st, -Q)])
    blocks.rows("pl", products, "G", 0.0, [(p, 1.0), (wide_st, Q)])
    blocks.rows("qu", products, "L", Q, [(p, 1.0), (q, -1.0), (wide_st, Q)])
    blocks.rows("ql", products, "G", -Q, [(p, 1.0), (q, -1.0), (wide_st, -Q)])
    added = [(p[:, i, :], -1.0) for i in range(prop.neurons)]
    blocks.rows("out", (T, outputs), "E", 0.0, [(spF, 1.0), *added, (c, -1.0)])
    if prop.weight_sum_limit is not None:
        blocks.single_row("limit", "L", float(prop.weight_sum_limit), w.ravel(), np.ones(w.size))
    if ks is not None:
        blocks.rows("kill", (T, I), "L", 0.0, [(st, 1.0), (ks, -1.0)])
    _set_sparsity(blocks, prop, samples, w[:, used], st, ks)
    return NetworkColumns(w, sp, st, spF, ks, I, outputs)


def _add_pre_activations(
    blocks: Blocks, X: Float64Array, numbers: tuple[Indices, Indices], w: Indices, b: Indices, sp: Indices
) -> None:
    """Add sp - X w - b = 0 for every sample and neuron; X (T', m')."""
    shape = (*sp.shape, X.shape[1])
    indices = np.concatenate([sp[..., None], np.broadcast_to(w, shape), np.broadcast_to(b, sp.shape)[..., None]], -1)
    ones = np.ones((*sp.shape, 1))
    data = np.concatenate([ones, np.broadcast_to(-X[:, None, :], shape), -ones], axis=-1)
    blocks.wide_rows("pre", numbers, "E", 0.0, indices, data)


def _set_sparsity(
    blocks: Blocks, prop: TrainProperty, samples: Samples, w: Indices, st: Indices, ks: Indices | None
) -> None:
    if prop.variant.weights:
        blocks.objective(w.ravel(), FACTOR)
    if prop.variant.activations:
        blocks.objective(st.ravel(), np.repeat(FACTOR * samples.counts, st.shape[1]))
    if ks is not None:
        blocks.objective(ks, FACTOR)


def model_comments(prop: TrainProperty, formulation: str) -> list[str]:
    """Return the leading comments of a model's file."""
    split = prop.split
    return [
        f"train, formulation {formulation}: {split.training.n_samples} samples of {split.training.n_inputs} inputs, "
        f"{prop.neurons} hidden neurons, {prop.n_classes} classes, variant {prop.variant.name}",
        f"a step is 1 from {prop.epsilon!r} on and 0 up to 0; columns w_I_J b_I q_I_K bF_K are the network",
    ]
