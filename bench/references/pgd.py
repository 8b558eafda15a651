"""The attack beside the MILP solvers: projected gradient ascent with restarts, run and judged as the solvers are.

    x_0 = the centre, or a random point projected onto the set
    x_{t+1} = projection of x_t + step_size (1 - t / steps) r(gradient of the value at x_t)

r is the sign, times half the set's width in each coordinate, where the set is a box; over an L1 ball it is the gradient
scaled to length `radius` in the Euclidean norm, because its sign would be projected to almost nothing. The value is
that of the instance's own network: on a surrogate the surrogate is attacked, and candidates are judged on the dense
network, as any solver's are. Restarts run side by side, BATCH at a time. A batch reports its first point beyond the
threshold at once, and the best points of its restarts at its end. Every reported point is exactly in the set. For the
closest counterexample, points that reach the margin are moved towards the centre as long as they reach it.

The attack has no bound and proves nothing, so its runs end with `solution_found`, `unresolved` or at a limit. The same
seed reports the same points in the same order, as far as time allows.
Source: Madry et al. 2018, arXiv:1706.06083; over L1 Croce and Hein 2021, arXiv:2103.01208.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families import problem_of
from vnnbench.instances.networks.network import Layer, Layered
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.instances.properties.goals import OutputGoal
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.properties.property import ClosestProperty, Property
from vnnbench.instances.properties.property_file import read_property
from vnnbench.instances.randomness import unit_interval
from vnnbench.instances.training.batched import reproducible_torch
from vnnbench.references.inputs import NETWORK_NAME, PROPERTY_NAME, import_readers
from vnnbench.references.projection import projection_onto
from vnnbench.references.reference import Reference, stop_reason
from vnnbench.solvers.base import Incumbent, Licence, Listener, SolveRequest, SolveResult, Termination

if TYPE_CHECKING:
    from scipy.sparse import csr_array

METHOD = "2"
"""The version of the method above and its defaults. It changes when they change."""

BATCH = 64
_BISECTIONS = 40
_TINY = float(np.finfo(np.float64).tiny)


class Pgd(Reference):
    """The attack as an adapter. Its options: restarts; steps of each restart; step_size, relative to the set."""

    name: ClassVar[str] = "pgd"
    title: ClassVar[str] = "projected gradient ascent"
    module: ClassVar[str] = "torch"
    defaults: ClassVar[Mapping[str, int | float]] = {"restarts": 1024, "steps": 100, "step_size": 0.25}

    def version(self) -> str:
        import_readers()
        return f"{METHOD}+torch-{torch.__version__.partition('+')[0]}"

    def licence(self) -> Licence:
        return Licence("MIT, torch BSD 3")

    def solve(self, request: SolveRequest, listener: Listener) -> SolveResult:
        started = time.monotonic()
        deadline = started + request.time_limit_seconds
        folder = request.model_path.parent
        with reproducible_torch(request.threads):
            network, prop = read_onnx(folder / NETWORK_NAME), read_property(folder / PROPERTY_NAME)
            search = _Search(network, prop, self.options_of(request), request.seed, listener)
            listener.on_columns([f"x_{i}" for i in range(search.n_inputs)])
            read_seconds = time.monotonic() - started
            termination = search.run(deadline)
        return SolveResult(
            termination=termination,
            raw_status=f"{search.restarts_done} restarts",
            primal_bound=-search.best if search.best is not None and math.isfinite(search.best) else None,
            dual_bound=None,
            columns=None,
            nodes=None,
            read_seconds=read_seconds,
            wall_seconds=time.monotonic() - started,
        )


class _Search:
    """The search of one run. best: the largest value that was reported."""

    def __init__(
        self, network: Layered, prop: Property, options: Mapping[str, float], seed: int, listener: Listener
    ) -> None:
        self._restarts, self._steps = int(options["restarts"]), int(options["steps"])
        self._step_size, self._seed = options["step_size"], seed
        self._listener, self._set = listener, prop.input_set
        self._margin = float(prop.margin) if isinstance(prop, ClosestProperty) else None
        problem = problem_of(prop)
        self._threshold = problem.threshold if self._margin is None else self._margin
        self._strict = problem.strict and self._margin is None
        self._value = _Value(network, prop.goal)
        self._project = projection_onto(self._set)
        self._centre = torch.from_numpy(np.array(self._set.centre))
        self._lower, self._upper = (torch.from_numpy(np.array(bound)) for bound in self._set.hull)
        self.best: float | None = None
        self.restarts_done = 0

    @property
    def n_inputs(self) -> int:
        return self._set.n_inputs

    def run(self, deadline: float) -> Termination:
        """Ascend until a stop is requested, the time is over or the last restart is done; return how it ended."""
        for first in range(0, self._restarts, BATCH):
            stopped = self._ascend(self._starts(first), deadline)
            if stopped is not None:
                return stopped
            self.restarts_done = min(first + BATCH, self._restarts)
        found = self.best is not None and (self._margin is not None or self._is_beyond(self.best))
        return Termination.SOLUTION_FOUND if found else Termination.UNRESOLVED

    def _is_beyond(self, value: float) -> bool:
        """Return whether a value is beyond the threshold; without a threshold every value is."""
        if self._threshold is None:
            return True
        return value > self._threshold if self._strict else value >= self._threshold

    def _starts(self, first: int) -> Tensor:
        """Return the starting points of the batch of restarts that begins with number `first`."""
        count = min(BATCH, self._restarts - first)
        draws = unit_interval(f"pgd/{self._seed}/{first}", count * self.n_inputs)
        shares = torch.from_numpy(draws.reshape(count, self.n_inputs))
        starts = self._project((1 - shares) * self._lower + shares * self._upper)
        if first == 0:
            starts[0] = self._centre
        return starts

    def _ascend(self, x: Tensor, deadline: float) -> Termination | None:
        """Run one batch of restarts from the points `x`; return why it was stopped, or None when it was not."""
        best, best_x = torch.full((len(x),), -torch.inf, dtype=torch.float64), x
        told = False
        stopped = None
        for step in range(self._steps + 1):
            value, gradient = self._value.with_gradient(x)
            better = value > best
            best, best_x = torch.where(better, value, best), torch.where(better[:, None], x, best_x)
            if not told and self._threshold is not None and self._is_beyond(float(best.max())):
                self._tell(best_x[best.argmax()][None])
                told = True
            stopped = stop_reason(self._listener, deadline)
            if stopped is not None or step == self._steps:
                break
            rate = self._step_size * (1 - step / self._steps)
            x = self._project(x + rate * self._direction(gradient))
        if stopped is Termination.INTERRUPTED:
            return stopped
        order = torch.argsort(best, descending=True, stable=True)
        beyond = [self._threshold is not None and self._is_beyond(value) for value in best[order].tolist()]
        beyond[0] |= float(best.max()) > (-math.inf if self.best is None else self.best)
        self._tell(best_x[order[torch.tensor(beyond)]])
        return stopped

    def _direction(self, gradient: Tensor) -> Tensor:
        """Return r of the module's docstring. Of a gradient that overflowed the largest numbers give the direction."""
        gradient = torch.nan_to_num(gradient)
        if self._set.norm is Norm.L1 and self._set.radius is not None:
            largest = gradient.abs().amax(dim=1, keepdim=True)
            gradient = gradient / largest.clamp(min=_TINY)  # so that squares neither overflow nor all become 0
            lengths = torch.linalg.vector_norm(gradient, dim=1, keepdim=True).clamp(min=1.0)
            return torch.mul(gradient, self._set.radius / lengths)
        return (0.5 * self._upper - 0.5 * self._lower) * torch.sign(gradient)

    def _tell(self, x: Tensor) -> None:
        """Report those of the points `x` that are candidates, repaired into the set, in their order."""
        for point, value in self._candidates(x):
            if self.best is None or value > self.best:
                self.best = value
            self._listener.on_incumbent(Incumbent(-value, array("d", point.tobytes())))

    def _candidates(self, x: Tensor) -> Iterator[tuple[Float64Array, float]]:
        if self._margin is not None:
            x = self._drawn_in(x, self._margin)
        for found in x.numpy():
            point = self._set.repair(found)
            if point is not None and self._margin is not None:
                yield point, -float(self._set.distance(point))
            elif point is not None:
                value = float(self._value(torch.from_numpy(self._set.nearest(point))[None]))
                if not math.isnan(value):  # a value that overflows here may exist in exact arithmetic
                    yield point, value

    def _drawn_in(self, x: Tensor, margin: float) -> Tensor:
        """Return those of the points `x` that reach the margin, moved by bisection towards the centre as far as they
        still reach it."""
        x = x[self._value(x) >= margin]
        near, far = torch.zeros(len(x), 1, dtype=torch.float64), torch.ones(len(x), 1, dtype=torch.float64)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (near + far)
            reaches = (self._value(self._centre + middle * (x - self._centre)) >= margin)[:, None]
            near, far = torch.where(reaches, near, middle), torch.where(reaches, middle, far)
        return self._centre + far * (x - self._centre)


class _Value:
    """The goal's value on a network, in float64: the least over clauses of the best disjunct's least atom."""

    def __init__(self, network: Layered, goal: OutputGoal) -> None:
        self._layers = [_Layer(layer) for layer in goal.measured(network).layers]
        self._disjuncts = [len(disjunct) for clause in goal.clauses for disjunct in clause]
        self._clauses = [len(clause) for clause in goal.clauses]

    def __call__(self, x: Tensor) -> Tensor:
        """Return the values (B,) at points (B, n_0)."""
        for layer in self._layers:
            x = layer(x)
        least = torch.stack([atoms.amin(dim=1) for atoms in torch.split(x, self._disjuncts, dim=1)], dim=1)
        best = torch.stack([disjuncts.amax(dim=1) for disjuncts in torch.split(least, self._clauses, dim=1)], dim=1)
        return best.amin(dim=1)

    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values (B,) and gradients (B, n_0); at a kink, the gradient of one side or a mean of them."""
        x = x.detach().requires_grad_(True)
        value = self(x)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        return value.detach(), gradient


class _Layer:
    """A layer z = (W h + b) / divisor for a batch h (B, n_in), with a sparse W where the network's matrix is sparse."""

    def __init__(self, layer: Layer) -> None:
        self._W = torch.from_numpy(layer.W.astype(np.float64)) if isinstance(layer.W, np.ndarray) else _sparse(layer.W)
        self._b = torch.from_numpy(np.array(layer.b, dtype=np.float64))
        self._relu = torch.from_numpy(np.array(layer.relu))
        self._divisor = None if layer.divisor is None else torch.from_numpy(np.array(layer.divisor))

    def __call__(self, h: Tensor) -> Tensor:
        product = torch.sparse.mm(self._W, h.T).T if self._W.is_sparse else h @ self._W.T
        z = product + self._b
        if self._divisor is not None:
            z = z / self._divisor
        return torch.where(self._relu, torch.relu(z), z)


def _sparse(W: csr_array) -> Tensor:
    """Return a sparse matrix as a tensor: the dense matrix of a convolution would not fit into memory."""
    entries = W.tocoo()
    places = np.stack([entries.row, entries.col]).astype(np.int64)
    values = torch.from_numpy(entries.data.astype(np.float64))
    return torch.sparse_coo_tensor(torch.from_numpy(places), values, W.shape, check_invariants=True).coalesce()
