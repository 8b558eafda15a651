"""The suite: a grid of instances and its plan with every name, nothing generated. Files of suites: `suite_toml`.

    group     (data set, side, architecture)                  mnist-28x28-4x64
    network   one seed of a group, dense                      mnist-28x28-4x64-s3
    problem   one property of a network                       mnist-28x28-4x64-s3-l1
    instance  problem, dense or pruned, in one formulation    mnist-28x28-4x64-s3-l1-mag-u90--tight

A group trains as one batch over the suite's full list of seeds, whatever is selected: a network's bytes depend on it.
So do the group's surrogates of one finetuned pruning.
Names read left to right from general to special (DESIGN 5) and never change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

import orjson

from vnnbench.instances.bounds.levels import BoundLevel
from vnnbench.instances.networks.pruning import Method, Structure
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.training.plan import FinetuningPlan, SprPlan, TrainingPlan

_METHOD_CODES = {Method.MAGNITUDE: "mag", Method.RANDOM: "rnd"}
_STRUCTURE_CODES = {Structure.UNSTRUCTURED: "u", Structure.STRUCTURED: "n"}


class Family(StrEnum):
    """What a suite's problems ask (DESIGN 2)."""

    VERIFY = "verify"
    MAXIMIZE = "maximize"


class AttackGoal(StrEnum):
    """What is asked about a set around a training image, of the class that it has.

    TARGETED: does the runner-up class win? UNTARGETED: does any other class? CLOSEST: how near does any other class
    lead by a margin?
    """

    TARGETED = "targeted"
    UNTARGETED = "untargeted"
    CLOSEST = "closest"


class Formulation(StrEnum):
    """How a problem becomes a MILP."""

    TIGHT = "tight"
    SURROGATELIB = "surrogatelib"


@dataclass(frozen=True, slots=True)
class Pruning:
    """What makes a surrogate of a dense network.

    rate: the share that goes, a whole number of percent; None for SPR, which finds it. finetuned: it is trained on
    after pruning, so it comes out of a task of its own; SPR always is.
    """

    method: Method
    structure: Structure
    rate: float | None
    finetuned: bool = False

    @property
    def name(self) -> str:
        """As in names: mag-u90, mag-u90-ft, spr-ft."""
        name = "spr"
        if self.rate is not None:
            name = f"{_METHOD_CODES[self.method]}-{_STRUCTURE_CODES[self.structure]}{round(100 * self.rate)}"
        return f"{name}-ft" if self.finetuned else name


SPR = Pruning(Method.SPR, Structure.STRUCTURED, None, finetuned=True)


@dataclass(frozen=True, slots=True)
class PropertyPlan:
    """One property of every dense network; `radius` is the interval that its radius is drawn from, None for a box.
    `margin` as in `Question`."""

    norm: Norm
    radius: tuple[float, float] | None
    name: str
    goal: AttackGoal = AttackGoal.TARGETED
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What every dense network is asked: a goal on sets of one norm.

    radius: the interval that a problem's radius is drawn from; or `radii`: one problem for each; neither for a box.
    margin: what another class must lead by, for the goal `closest` and only there.
    """

    norm: Norm
    radius: tuple[float, float] | None
    radii: tuple[float, ...] = ()
    goal: AttackGoal = AttackGoal.TARGETED
    margin: float | None = None

    def properties(self) -> Iterator[PropertyPlan]:
        """One for each radius, or one for the interval."""
        aim = "" if self.goal is AttackGoal.TARGETED else f"-{self.goal}"
        if not self.radii:
            yield PropertyPlan(self.norm, self.radius, f"{self.norm}{aim}", self.goal, self.margin)
        for r in self.radii:
            yield PropertyPlan(self.norm, (r, r), f"{self.norm}-r{r:g}{aim}", self.goal, self.margin)


@dataclass(frozen=True, slots=True)
class Planting:
    """How many networks of every group have a problem whose answer is planted: a counterexample, or that there is none.
    Which ones is drawn by a key, see `planting`."""

    counterexample: int
    robust: int


@dataclass(frozen=True, slots=True)
class Group:
    """Networks that train as one batch: the same data and hidden layers, one network per seed.

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
        """Name of the dense network of a seed."""
        return f"{self.name}-s{seed}"

    def surrogate(self, seed: int, pruning: Pruning) -> str:
        """Name of a surrogate of that network."""
        return _joined(self.network(seed), pruning)


@dataclass(frozen=True, slots=True)
class PlannedInstance:
    """One instance by what makes it; `pruning` is None on the dense network."""

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
        """Whether it is on a finetuned surrogate."""
        return self.pruning is not None and self.pruning.finetuned


@dataclass(frozen=True, slots=True)
class Suite:
    """A grid: every architecture at every side, with every seed and property, dense and pruned, in every formulation.

    dataset, input_sides, training: of trained networks; without a data set they are untrained, of `inputs` inputs.
    bounds: how the pre-activations of `tight` are bounded.
    finetuning: None when no pruning by magnitude or at random is finetuned. spr: None when there is no such pruning.
    planted: None when nothing is.
    """

    name: str
    description: str
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
        """Of every dense network."""
        if self.family is Family.MAXIMIZE:
            return tuple(PropertyPlan(question.norm, None, "max") for question in self.questions)
        return tuple(plan for question in self.questions for plan in question.properties())

    def instances(self) -> Iterator[PlannedInstance]:
        """The plan, in the order of the catalogue."""
        for group in self.groups():
            for seed in self.seeds:
                for prop in self.properties():
                    for pruning in (None, *self.prunings):
                        for formulation in self.formulations:
                            yield PlannedInstance(group, seed, prop, pruning, formulation)

    def bounds_of(self, formulation: Formulation) -> BoundLevel:
        """How the pre-activations of an instance are bounded; `surrogatelib` knows only the box."""
        return BoundLevel.BOX if formulation is Formulation.SURROGATELIB else self.bounds

    @property
    def n_problems(self) -> int:
        return len(self.groups()) * len(self.seeds) * len(self.properties())

    @property
    def n_instances(self) -> int:
        return self.n_problems * (1 + len(self.prunings)) * len(self.formulations)

    @property
    def sha256(self) -> str:
        """Of what the suite means, without its description: comments and layout of the TOML do not matter.

        What is at its default is left out, so a suite means what it meant before there was a choice.
        """
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
        return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _set_values(record: Suite | Question) -> dict[str, Any]:
    """By field, without what is at its default."""
    document = asdict(record)
    for field in fields(record):
        if getattr(record, field.name) == field.default:
            del document[field.name]
    return document


def _joined(name: str, pruning: Pruning | None) -> str:
    return name if pruning is None else f"{name}-{pruning.name}"
