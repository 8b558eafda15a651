"""The part of a training MILP that both formulations share: the network at each sample, and the sparsity terms.

For every sample T, hidden neuron I and output K, with q in [-Q, Q]:

    pre_T_I    sp = w x + b
    out_T_K    spF = sum_I p + bF
    pu_T_I_K   p <= Q st            qu_T_I_K   p - q <= Q (1 - st)
    pl_T_I_K   p >= -Q st           ql_T_I_K   p - q >= -Q (1 - st)
    kill_T_I   st <= KS             limit      sum w <= weight_sum_limit

An input that is 0 in all training samples has no weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import ModelError
from vnnbench.instances.limits import MAX_MPS_LINES, MAX_MPS_NAMES
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
    """Bounds on pre-activations: hidden, one for each sample (T', 1) or for all, and of the outputs."""

    lower: npt.ArrayLike
    upper: npt.ArrayLike
    output_lower: float
    output_upper: float


@dataclass(frozen=True, slots=True, eq=False)
class NetworkColumns:
    """Columns: sp and st (T', n), output (T', K') for spF, switches (n,) or None for KS; and the numbers
    of neurons (n,)."""

    sp: Indices
    st: Indices
    output: Indices
    switches: Indices | None
    neurons: Indices


def add_network(
    blocks: Blocks, prop: TrainProperty, samples: Samples, outputs: Indices, ranges: Ranges
) -> NetworkColumns:
    """Add the columns and rows of the network at the samples, for these outputs.

    Raises `ModelError` before anything is made if the file would be refused.
    """
    T, neurons, inputs = samples.numbers, np.arange(prop.neurons, dtype=np.int64), np.flatnonzero(prop.used_inputs)
    Q, variant = prop.output_weight.upper, prop.variant
    _check_size(blocks.builder.name, len(T), len(neurons), len(inputs), len(outputs))
    w = blocks.parameters("w", (neurons, inputs), prop.weight, FACTOR * variant.weights)
    b = blocks.parameters("b", (neurons,), prop.bias)
    q = blocks.parameters("q", (neurons, outputs), prop.output_weight)
    c = blocks.parameters("bF", (outputs,), prop.output_bias)
    ks = blocks.binaries("KS", (neurons,), FACTOR) if variant.neurons else None
    sp = blocks.columns("sp", (T, neurons), ranges.lower, ranges.upper)
    st = blocks.binaries("st", (T, neurons), FACTOR * variant.activations * samples.counts[:, None])
    p = blocks.columns("p", (T, neurons, outputs), -Q, Q)
    spF = blocks.columns("spF", (T, outputs), ranges.output_lower, ranges.output_upper)
    _add_pre_activations(blocks, prop.training.inputs[T][:, inputs], (T, neurons), w, b, sp)
    products, on = (T, neurons, outputs), st[:, :, None]
    blocks.rows("pu", products, "L", 0.0, [(p, 1.0), (on, -Q)])
    blocks.rows("pl", products, "G", 0.0, [(p, 1.0), (on, Q)])
    blocks.rows("qu", products, "L", Q, [(p, 1.0), (q, -1.0), (on, Q)])
    blocks.rows("ql", products, "G", -Q, [(p, 1.0), (q, -1.0), (on, -Q)])
    summands = [(p[:, i, :], -1.0) for i in range(prop.neurons)]
    blocks.rows("out", (T, outputs), "E", 0.0, [(spF, 1.0), *summands, (c, -1.0)])
    if prop.weight_sum_limit is not None and w.size:
        blocks.wide_rows("limit", (), "L", prop.weight_sum_limit, w.ravel(), np.ones(w.size))
    if ks is not None:
        blocks.rows("kill", (T, neurons), "L", 0.0, [(st, 1.0), (ks, -1.0)])
    return NetworkColumns(sp, st, spF, ks, neurons)


def _check_size(name: str, T: int, n: int, m: int, K: int) -> None:
    """Refuse a model that has more coefficients of inputs than lines are read, or more of the rows above than names."""
    excess = None
    if T * n * (m + 2) > MAX_MPS_LINES:
        excess = f"more than {MAX_MPS_LINES} lines"
    elif T * (n + 4 * n * K + K) > MAX_MPS_NAMES:
        excess = f"more than {MAX_MPS_NAMES} rows"
    if excess is not None:
        raise ModelError(
            f"model {name}: {T} samples of {m} inputs and {n} neurons would have {excess}, the most that is read; use "
            "fewer samples, inputs or neurons"
        )


def _add_pre_activations(
    blocks: Blocks, X: Float64Array, numbers: tuple[Indices, Indices], w: Indices, b: Indices, sp: Indices
) -> None:
    """Add sp - X w - b = 0 for every sample and neuron; X (T', m')."""
    shape, ones = (*sp.shape, X.shape[1]), np.ones((*sp.shape, 1))
    biases = np.broadcast_to(b, sp.shape)[..., None]
    indices = np.concatenate([sp[..., None], np.broadcast_to(w, shape), biases], axis=-1)
    data = np.concatenate([ones, np.broadcast_to(-X[:, None, :], shape), -ones], axis=-1)
    blocks.wide_rows("pre", numbers, "E", 0.0, indices, data)


def model_comments(prop: TrainProperty, formulation: str) -> list[str]:
    """Return the leading comments of a model's file."""
    data = prop.training
    return [
        f"train, formulation {formulation}: {data.n_samples} samples of {data.n_inputs} inputs, {prop.neurons} hidden "
        f"neurons, {prop.n_classes} classes, variant {prop.variant.name}",
        f"a step is 1 from {prop.epsilon!r} on and 0 up to 0; columns w_I_J, b_I, q_I_K, bF_K are the network",
    ]
