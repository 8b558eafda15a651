"""Local search for a network of step functions: from any network to one that no change of a single weight improves.

Neuron by neuron, hidden and output, it makes the best change of one weight, with the bias that is best then
(`step_neuron`), as long as the objective falls. So it also drops what is useless: where the objective has a sparsity
term, a weight that becomes 0 or a neuron that is never active lowers it.

Continuous output weights of a class are -s, 0 and s with one s. An output is then decided by an integer, the sum of -1,
0 and 1 over the active neurons, and its pre-activation is never between 0 and eps, whichever neurons are active.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.step_networks.step_network import StepNetwork
from vnnbench.instances.step_networks.train_property import FACTOR, Box, TrainProperty
from vnnbench.references.step_neuron import GRID, SAME_COST, NeuronKind, best_change, never_active

_TERNARY = Box(-1.0, 1.0, True)


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A network to start from.

    W (n, m), b (n,): a hidden step is 1 where w x + b > 0, on any scale. Q (n, K): integers in the box of output
    weights. thresholds (K,): output k is 1 where the sum of Q over the active neurons is at least this integer.
    """

    W: Float64Array
    b: Float64Array
    Q: Float64Array
    thresholds: Float64Array


def empty_draft(prop: TrainProperty) -> Draft:
    """Return the network without weights, in which nothing is active."""
    n, K = prop.neurons, prop.n_classes
    return Draft(np.zeros((n, prop.n_inputs)), np.zeros(n), np.zeros((n, K)), np.ones(K))


@dataclass(slots=True, eq=False)
class _State:
    """The network during the search, without the inputs that have no weights. steps (T, n): its hidden steps."""

    W: Float64Array
    b: Float64Array
    Q: Float64Array
    thresholds: Float64Array
    steps: BoolArray


class StepSearch:
    """The search on one problem. seed: of the changes of continuous weights that are tried."""

    def __init__(self, prop: TrainProperty, seed: int) -> None:
        self._property, self._draws = prop, np.random.default_rng(seed)
        self._used = np.flatnonzero(prop.used_inputs)
        self._X = np.ascontiguousarray(prop.training.inputs[:, self._used])
        self._targets = np.arange(prop.n_classes) == prop.training.classes[:, None]
        flags, output_weight = prop.variant, prop.output_weight
        self._activation_price = FACTOR * flags.activations
        self._hidden = NeuronKind(
            prop.weight, prop.bias, prop.epsilon, _reach(prop.weight),
            weight_price=FACTOR * flags.weights, neuron_price=FACTOR * flags.neurons,
        )  # fmt: skip
        self._output = NeuronKind(
            output_weight if output_weight.integer else _TERNARY, prop.output_bias, prop.epsilon,
            _reach(output_weight), spacing=1.0,
        )  # fmt: skip

    def improve(self, draft: Draft, stopped: Callable[[], bool]) -> tuple[StepNetwork, float] | None:
        """Return a feasible network to which a draft leads, and its objective.

        A stop ends the search early; the result is None if it comes before every neuron has been fitted once.
        """
        state = self._state(draft)
        reached: float | None = None
        while True:
            for i in range(self._property.neurons):
                if stopped():
                    return None if reached is None else self._result(state)
                self._improve_hidden(state, i, anyway=reached is None)
            for k in range(self._property.n_classes):
                self._improve_output(state, k, anyway=reached is None)
            before, reached = reached, self._objective(state)
            if before is not None and reached > before - SAME_COST:
                return self._result(state)

    def _state(self, draft: Draft) -> _State:
        W, b = draft.W[:, self._used], draft.b
        steps = self._X @ W.T + b > 0
        weight = self._property.weight
        if weight.integer:
            W = np.clip(np.rint(W), weight.lower, weight.upper)
        else:
            sizes = np.abs(W).max(axis=1, initial=0.0, keepdims=True)
            W = np.rint(W / np.where(sizes > 0, sizes, 1.0) * GRID) / GRID
        return _State(W, b.copy(), draft.Q.copy(), draft.thresholds.copy(), steps)

    def _improve_hidden(self, state: _State, i: int, anyway: bool) -> None:
        """Change neuron i if that lowers the objective; or `anyway`, because it may not be feasible as it is."""
        others = np.delete(state.steps, i, axis=1) @ np.delete(state.Q, i, axis=0)
        costs = self._errors(state, others + state.Q[i]) - self._errors(state, others) + self._activation_price
        limit = self._property.weight_sum_limit
        room = np.inf if limit is None else limit - np.delete(state.W, i, axis=0).sum()
        found = best_change(self._hidden, self._X, state.W[i], costs, self._draws, room)
        if not anyway and found.cost > self._hidden.cost(state.W[i], state.steps[:, i], costs) - SAME_COST:
            return
        for neuron in (found, never_active(self._X)) if anyway else (found,):
            w = neuron.scaled()
            z = self._X @ w
            low = z.max(where=~neuron.steps, initial=-np.inf)
            high = z.min(where=neuron.steps, initial=np.inf)
            bias = self._hidden.bias_between(float(low), float(high))
            if bias is not None:  # else rounding has moved the weights out of a box or the margin
                state.W[i], state.b[i], state.steps[:, i] = w, bias, neuron.steps
                return

    def _improve_output(self, state: _State, k: int, anyway: bool) -> None:
        """Change output k if that lowers the number of errors; or `anyway`, as a hidden neuron."""
        costs = np.where(self._targets[:, k], -1.0, 1.0)
        found = best_change(self._output, state.steps.astype(np.float64), state.Q[:, k], costs, self._draws, np.inf)
        now = state.steps @ state.Q[:, k] >= state.thresholds[k]
        if anyway or found.cost < self._output.cost(state.Q[:, k], now, costs) - SAME_COST:
            state.Q[:, k], state.thresholds[k] = found.w, min(found.high, found.low + 1)

    def _errors(self, state: _State, sums: Float64Array) -> Float64Array:
        """Return the errors (T,) of the outputs whose active neurons have these sums (T, K) of Q."""
        return np.asarray(((sums >= state.thresholds) != self._targets).sum(axis=1, dtype=np.float64))

    def _objective(self, state: _State) -> float:
        flags, steps = self._property.variant, state.steps
        active = flags.activations * steps.sum() + flags.neurons * steps.any(axis=0).sum()
        errors = self._errors(state, steps @ state.Q).sum()
        return float(errors + FACTOR * (flags.weights * state.W.sum() + active))

    def _result(self, state: _State) -> tuple[StepNetwork, float]:
        W = np.zeros((self._property.neurons, self._property.n_inputs))
        W[:, self._used] = state.W
        low, high = state.thresholds - 1, state.thresholds
        factors = self._output.factor(np.abs(state.Q).max(axis=0), low, high)
        factors = np.floor(factors * GRID) / GRID
        ends = zip((low * factors).tolist(), (high * factors).tolist(), strict=True)
        c = np.array([self._output.bias_between(*both) for both in ends])
        return StepNetwork(W, state.b, state.Q * factors, c, self._property.epsilon), self._objective(state)


def _reach(weight: Box) -> float | None:
    return None if weight.integer else min(weight.upper, -weight.lower)
