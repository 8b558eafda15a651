"""The formulation `plain`: the training MILP of [R] as it is written there, with one big-M.

Beside the rows of `network_rows`, for every training sample T, hidden neuron I and output K, with M of
`TrainProperty.big_m`:

    off_T_I    sp <= M st                   offF_T_K   spF <= M stF
    on_T_I     sp >= eps - M (1 - st)       onF_T_K    spF >= eps - M (1 - stF)
                                            error_T_K  E = stF, or E = 1 - stF for the sample's class

The objective is that of `train_property`. With m inputs, n neurons, K classes and T samples there are T (2 n + n K +
3 K) + n m + n + n K + K columns, T (2 n + 4 n K + 2 K) inequalities and T (n + 2 K) equalities; the kill switches add n
columns and T n inequalities.
Source: [R] Rosenhahn 2023, JOTA 199:931-954, sections 3.1 and 3.2; the formulas are derived from its text.
"""

from __future__ import annotations

import numpy as np

from vnnbench.instances.formulations.milp import MilpBuilder, MilpModel
from vnnbench.instances.step_networks.train_property import TrainProperty
from vnnbench.instances.train_models.blocks import Blocks
from vnnbench.instances.train_models.network_rows import Ranges, Samples, add_network, model_comments


def encode_plain(prop: TrainProperty, name: str) -> MilpModel:
    """Return the model of a training problem."""
    builder = MilpBuilder(name, model_comments(prop, "plain"))
    blocks, data = Blocks(builder), prop.training
    M, eps = prop.big_m, prop.epsilon
    T, outputs = np.arange(data.n_samples, dtype=np.int64), np.arange(prop.n_classes, dtype=np.int64)
    net = add_network(blocks, prop, Samples(T, np.ones_like(T)), outputs, Ranges(-M, M, -M, M))
    stF = blocks.binaries("stF", (T, outputs))
    E = blocks.columns("E", (T, outputs), 0.0, 1.0, objective=1.0)
    for letter, numbers, sp, st in (("", (T, net.neurons), net.sp, net.st), ("F", (T, outputs), net.output, stF)):
        blocks.rows(f"off{letter}", numbers, "L", 0.0, [(sp, 1.0), (st, -M)])
        blocks.rows(f"on{letter}", numbers, "G", eps - M, [(sp, 1.0), (st, -M)])
    is_class = outputs == data.classes[:, None]
    blocks.rows("error", (T, outputs), "E", np.where(is_class, 1, 0), [(E, 1.0), (stF, np.where(is_class, 1, -1))])
    return builder.build()
