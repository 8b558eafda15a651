"""Suites over networks: grids of instances, and their plan with every name.

    group     (data set, side, architecture)                  mnist-28x28-4x64
    network   one seed of a group, dense                      mnist-28x28-4x64-s3
    problem   one property of a network                       mnist-28x28-4x64-s3-l1
    instance  problem, dense or pruned, in one formulation    mnist-28x28-4x64-s3-l1-mag-u90--tight

A group trains as one batch over the suite's full list of seeds, whatever is selected, because a network's bytes depend
on the batch. So do the group's surrogates of one finetuned pruning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from vnnbench.instances.bounds.levels import BoundLevel
from vnnbench.instances.layout import model_file, network_file, picture_file, property_file, vnnlib_file
from vnnbench.instances.networks.pruning import Method, Structure
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.suites.suite import Suite
from vnnbench.instances.training.plan import FinetuningPlan, SprPlan, TrainingPlan

_METHOD_CODES = {Method.MAGNITUDE: "mag", Method.RANDOM: "rnd"}
_STRUCTURE_CODES = {Structure.UNSTRUCTURED: "u", Structure.STRUCTURED: "n"}


class Family(StrEnum):
    """The families of problems over networks: the question that they ask."""

    VERIFY = "verify"
    MAXIMIZE = "maximize"


class AttackGoal(StrEnum):
    """The question about a set around a training image and the image's class.

    TARGETED: does the runner-up class win? UNTARGETED: does any other class win? CLOSEST: how near does any other class
    exceed it by a margin?
    """

    TARGETED = "targeted"
    UNTARGETED = "untargeted"
    CLOSEST = "closest"


class Formulation(StrEnum):
    """The formulations, which turn a problem into a MILP."""

    TIGHT = "tight"
    SURROGATELIB = "surrogatelib"


@dataclass(frozen=True, slots=True)
class Pruning:
    """The pruning that makes a surrogate of a dense network.

    rate: the share that is removed, a whole number of percent; None for SPR, which determines it. finetuned: whether
    the surrogate is trained after pruning, in a task of its own; with SPR it always is.
    """

    method: Method
    structure: Structure
    rate: float | None
    finetuned: bool = False

    @property
    def name(self) -> str:
        """The code in names: mag-u90, mag-u90-ft, spr-ft."""
        name = "spr"
        if self.rate is not None:
            name = f"{_METHOD_CODES[self.method]}-{_STRUCTURE_CODES[self.structure]}{round(100 * self.rate)}"
        return f"{name}-ft" if self.finetuned else name


SPR = Pruning(Method.SPR, Structure.STRUCTURED, None, finetuned=True)


@dataclass(frozen=True, slots=True)
class PropertyPlan:
    """One property of every dense network.

    radius: the interval that its radius is drawn from; None for a box. margin: as in `Question`.
    """

    norm: Norm
    radius: tuple[float, float] | None
    name: str
    goal: AttackGoal = AttackGoal.TARGETED
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question about every dense network: a goal on sets of one norm.

    radius: the interval that a problem's radius is drawn from; or `radii`: one problem for each; neither for a box.
    margin: the amount by which another class must exceed the image's class, for the goal `closest` only.
    """

    norm: Norm
    radius: tuple[float, float] | None
    radii: tuple[float, ...] = ()
    goal: AttackGoal = AttackGoal.TARGETED
    margin: float | None = None

    def facts(self) -> dict[str, Any]:
        """Return the question for readers."""
        return {
            "norm": self.norm.value,
            "goal": self.goal.value,
            "radius": list(self.radius) if self.radius else None,
            "radii": list(self.radii) or None,
            "margin": self.margin,
        }

    def properties(self) -> Iterator[PropertyPlan]:
        """Yield one property for each radius, or one for the interval."""
        aim = "" if self.goal is AttackGoal.TARGETED else f"-{self.goal}"
        if not self.radii:
            yield PropertyPlan(self.norm, self.radius, f"{self.norm}{aim}", self.goal, self.margin)
        for r in self.radii:
            yield PropertyPlan(self.norm, (r, r), f"{self.norm}-r{r:g}{aim}", self.goal, self.margin)


@dataclass(frozen=True, slots=True)
class Planting:
    """The numbers of networks of every group with a planted answer: a counterexample, or proven robustness.

    A key decides which networks these are (`planting`).
    """

    counterexample: int
    robust: int


@dataclass(frozen=True, slots=True)
class Group:
    """A group of networks that train as one batch: the same data and hidden layers, one network per seed.

    dataset, side: None for untrained networks of `n_inputs` inputs and one output.
    """

    dataset: str | None
    side: int | None
    n_inputs: int
    depth: int
    width: int
    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        data = f"untrained-{self.n_inputs}" if self.dataset is None else f"{self.dataset}-{self.side}x{self.side}"
        return f"{data}-{self.depth}x{self.width}"

    @property
    def hidden_widths(self) -> list[int]:
        return [self.width] * self.depth

    def network(self, seed: int) -> str:
        """Return the name of the dense network of a seed."""
        return f"{self.name}-s{seed}"

    def surrogate(self, seed: int, pruning: Pruning) -> str:
        """Return the name of a surrogate of a seed's dense network."""
        return _joined(self.network(seed), pruning)


@dataclass(frozen=True, slots=True)
class NetworkInstance:
    """One instance of the plan; `pruning` is None on the dense network."""

    group: Group
    seed: int
    prop: PropertyPlan
    pruning: Pruning | None
    formulation: Formulation

    @property
    def name(self) -> str:
        return f"{_joined(self.problem, self.pruning)}--{self.formulation}"

    @property
    def problem(self) -> str:
        return f"{self.dense_network}-{self.prop.name}"

    @property
    def dense_network(self) -> str:
        return self.group.network(self.seed)

    @property
    def network(self) -> str:
        return _joined(self.dense_network, self.pruning)

    @property
    def finetuned(self) -> bool:
        """Return whether it is on a finetuned surrogate."""
        return self.pruning is not None and self.pruning.finetuned

    def files(self) -> set[str]:
        """Return all files that it may have, by relative path."""
        prop = property_file(self.problem)
        return self.trained_files() | {
            model_file(self.name),
            network_file(self.network),
            prop,
            vnnlib_file(prop),
            picture_file(self.problem),
        }

    def trained_files(self) -> set[str]:
        """Return its networks that training makes; all its other files follow from these."""
        trained = [self.dense_network, *([self.network] if self.finetuned else [])]
        return {network_file(name) for name in trained}


@dataclass(frozen=True, slots=True)
class NetworkSuite(Suite):
    """A grid: every architecture at every side, with every seed and property, dense and pruned, in every formulation.

    dataset, input_sides, training: for trained networks; without a data set networks are untrained, of `inputs` inputs.
    bounds: the method that bounds the pre-activations of `tight`.
    finetuning: None if no pruning by magnitude or at random is finetuned. spr: None without pruning by SPR. planted:
    None without planted answers.
    """

    dataset: str | None
    input_sides: tuple[int, ...]
    architectures: tuple[tuple[int, int], ...]
    seeds: tuple[int, ...]
    formulations: tuple[Formulation, ...]
    bounds: BoundLevel
    training: TrainingPlan | None
    questions: tuple[Question, ...]
    prunings: tuple[Pruning, ...]
    finetuning: FinetuningPlan | None = None
    family: Family = Family.VERIFY
    inputs: tuple[int, ...] = ()
    spr: SprPlan | None = None
    planted: Planting | None = None

    def groups(self) -> tuple[Group, ...]:
        shapes: list[tuple[int | None, int]] = [(side, side**2) for side in self.input_sides]
        shapes += [(None, n_inputs) for n_inputs in self.inputs]
        return tuple(
            Group(self.dataset, side, n_inputs, depth, width, self.seeds)
            for side, n_inputs in shapes
            for depth, width in self.architectures
        )

    def properties(self) -> tuple[PropertyPlan, ...]:
        """Return the properties of every dense network."""
        if self.family is Family.MAXIMIZE:
            return tuple(PropertyPlan(question.norm, None, "max") for question in self.questions)
        return tuple(plan for question in self.questions for plan in question.properties())

    def instances(self) -> Iterator[NetworkInstance]:
        for group in self.groups():
            for seed in self.seeds:
                for prop in self.properties():
                    for pruning in (None, *self.prunings):
                        for formulation in self.formulations:
                            yield NetworkInstance(group, seed, prop, pruning, formulation)

    def bounds_of(self, formulation: Formulation) -> BoundLevel:
        """Return the method that bounds the pre-activations of an instance; `surrogatelib` has only the box."""
        return BoundLevel.BOX if formulation is Formulation.SURROGATELIB else self.bounds

    @property
    def n_problems(self) -> int:
        return len(self.groups()) * len(self.seeds) * len(self.properties())

    @property
    def n_instances(self) -> int:
        return self.n_problems * (1 + len(self.prunings)) * len(self.formulations)

    @property
    def datasets(self) -> tuple[str, ...]:
        return () if self.dataset is None else (self.dataset,)

    def facts(self) -> dict[str, Any]:
        asked = [question.facts() for question in self.questions]
        for question in asked if self.family is Family.MAXIMIZE else ():
            del question["goal"]
        return {
            "dataset": self.dataset,
            "input sides": list(self.input_sides) or None,
            "inputs": [group.n_inputs for group in self.groups()[:: len(self.architectures)]],
            "architectures": [f"{depth}x{width}" for depth, width in self.architectures],
            "seeds": list(self.seeds),
            "training": asdict(self.training) if self.training else None,
            "properties": [{key: value for key, value in facts.items() if value is not None} for facts in asked],
            "surrogates": [pruning.name for pruning in self.prunings],
            "finetuning": asdict(self.finetuning) if self.finetuning else None,
            "spr": asdict(self.spr) if self.spr else None,
            "formulations": [f.value for f in self.formulations],
            "bounds": {f.value: self.bounds_of(f).value for f in self.formulations},
        }

    def meaning(self) -> dict[str, Any]:
        document = _set_values(self)
        del document["description"]
        questions = [_set_values(question) for question in self.questions]
        if len(questions) == 1:
            del document["questions"]
            document |= questions[0]
        else:
            document["questions"] = questions
        for pruning in document["prunings"]:
            if not pruning["finetuned"]:
                del pruning["finetuned"]
        return document


def _set_values(record: NetworkSuite | Question) -> dict[str, Any]:
    """Return the values by field, without those at their default."""
    document = asdict(record)
    for field in fields(record):
        if getattr(record, field.name) == field.default:
            del document[field.name]
    return document


def _joined(name: str, pruning: Pruning | None) -> str:
    return name if pruning is None else f"{name}-{pruning.name}"
