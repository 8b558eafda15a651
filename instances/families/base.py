"""The interface of a problem family. Library, harness, judge and leaderboard know a family only through it.

A family reads its property file, says what files of the library an instance has, makes evaluators from their contents,
and knows what a candidate is: a float64 vector, such as an input. It is registered once, in `families.FAMILIES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Protocol, Self

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.formulations.lifting import LiftedPoint
from vnnbench.instances.formulations.milp import MilpModel

Decoder = Callable[[Float64Array], Float64Array]
Fact = str | int | float | None


@dataclass(frozen=True, slots=True)
class DeployedValue:
    """The value by ONNX Runtime in float32, and whether the answer also holds there against every class (None where
    there are no classes)."""

    value: float
    beats_all: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class NetworkOutputs:
    """y (n_L,) of a network at one input: exactly, and in float32 by ONNX Runtime."""

    exact: list[Fraction]
    float32: Float32Array


class Evaluator(ABC):
    """The values of a problem's candidates on one network, or on whatever else its family evaluates them."""

    def prepare(self) -> None:  # noqa: B027 - most families have nothing to prepare
        """Load what `deployed` and `outputs` take, so that no later call pays for it. Raises `InputError`."""

    @abstractmethod
    def value(self, candidate: Float64Array) -> Fraction | None:
        """The problem's value at a feasible candidate, exactly; None where it has none."""

    def reach(self, point: Float64Array) -> tuple[Float64Array, Fraction]:
        """A feasible candidate near a feasible one, which has a value, and how much further out it lies; the same and 0
        where that has one, or none is found near."""
        return point, Fraction(0)

    @abstractmethod
    def replay(self, candidate: Float64Array) -> Fraction:
        """What the file's value is held against: the value at a candidate as it is, feasible or not, exactly."""

    @abstractmethod
    def deployed(self, candidate: Float64Array) -> DeployedValue:
        """The value at a feasible candidate as deployed: in float32, of the candidate rounded to it within the set."""

    def outputs(self, point: Float64Array) -> NetworkOutputs | None:
        """The outputs at a feasible candidate; None in a family whose candidates are not inputs of a network."""
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluators:
    """What an instance's candidates are judged on. original: the problem itself, so its dense network where it has one;
    own: what the instance's model was made from, such as a surrogate; the same object where that is the original."""

    original: Evaluator
    own: Evaluator


class CandidateLifter(Protocol):
    """A model prepared for lifting, see `formulations.lifting.Lifter`."""

    def lift(self, x: Float64Array) -> LiftedPoint:
        """What the model says of a candidate. Raises `ModelError` when a column has no known meaning."""


class InstanceNames(Protocol):
    """What a family finds the files of an instance by: columns of its row in the catalogue."""

    @property
    def problem(self) -> str: ...
    @property
    def dataset(self) -> str | None: ...
    @property
    def network(self) -> str | None: ...
    @property
    def dense_network(self) -> str | None: ...


class Problem(ABC):
    """One question, as read from its property file.

    family: the word in property files and in the catalogue.
    candidate_text, confirmed_text: what a candidate is, and what a confirmed one is called.
    catalog_columns: columns of the catalogue that every instance of the family fills, beside those of all families.
    threshold: a value beyond it answers the question; None when there is none and only `optimize` makes sense.
    strict: the value must exceed the threshold; else reaching it is enough.
    confirmed_verdict: the verdict of a run that has a confirmed candidate. excluded_verdict: of a run whose bound
    leaves no room for one; None: a bound decides nothing.
    """

    family: ClassVar[str]
    candidate_text: ClassVar[str]
    confirmed_text: ClassVar[str]
    confirmed_verdict: ClassVar[str] = "value"
    excluded_verdict: ClassVar[str | None] = None
    catalog_columns: ClassVar[tuple[str, ...]] = ()
    threshold: float | None
    strict: bool

    @classmethod
    @abstractmethod
    def of_document(cls, document: dict[str, Any]) -> Self:
        """The problem of a property file's JSON object. Raises `PropertyError`, and KeyError where a key is missing."""

    @classmethod
    def data_files(cls, names: InstanceNames) -> dict[str, str]:
        """What the values of an instance are computed from beside its property: paths in the library by the names of
        the parts, in the order in which these enter `instance_sha256`.

        A ledger knows a problem by its property, and by the parts `network` and `dense_network`: whatever else there is
        must be bound by the property, as by its sha256.
        """
        return {}

    @abstractmethod
    def evaluators(self, data: Mapping[str, bytes]) -> Evaluators:
        """What candidates of an instance are judged on. data: the contents of `data_files`, by part. Raises
        `InputError`."""

    @property
    @abstractmethod
    def centre(self) -> Float64Array:
        """A candidate that is always feasible: of an input set the clean input."""

    @abstractmethod
    def decoder(self, column_names: Sequence[str]) -> Decoder:
        """What turns the columns of a solution, in this order, into a candidate. Raises `PropertyError` when the
        names do not cover a candidate."""

    @abstractmethod
    def columns_read(self, column_names: Sequence[str]) -> frozenset[str]:
        """Which of these columns a decoder reads."""

    @abstractmethod
    def violation(self, candidate: Float64Array) -> Fraction:
        """How far the candidate is outside the feasible set, exactly; 0 when inside."""

    @abstractmethod
    def repair(self, candidate: Float64Array) -> Float64Array | None:
        """A candidate exactly inside the set, near the given one; None when there is none to be found."""

    def lifter(self, model: MilpModel) -> CandidateLifter | None:
        """What lifts candidates into a model of this problem; None where the family cannot. Raises `ModelError`."""
        return None

    def facts(self) -> dict[str, Fact]:
        """The columns of the catalogue that the problem alone decides; None for those that its family has not."""
        unknown: dict[str, Fact] = dict.fromkeys(("dataset", "norm", "radius", "sample", "source", "target"))
        return {**unknown, "family": self.family, "strict": int(self.strict), "threshold": self.threshold}

    @property
    def value_is_column(self) -> bool:
        """Whether the value is a column of its own in the file, so that a solution may claim less than its candidate
        reaches, never more; else the two are equal."""
        return False

    def ledger_facts(self) -> dict[str, Fact]:
        """What the ledger keeps of the family beside the catalogue, so that it knows none by its name."""
        return {
            "value_is_column": int(self.value_is_column),
            "confirmed_verdict": self.confirmed_verdict,
            "excluded_verdict": self.excluded_verdict,
        }

    def confirms(self, value: Fraction) -> bool:
        """Whether a point of the set with this exact value settles something: without a threshold, every one does."""
        return self.threshold is None or self.answers(value)

    def answers(self, value: Fraction) -> bool:
        """Whether this exact value answers the question (for `verify`: is a counterexample)."""
        if self.threshold is None:
            return False
        return value > self.threshold or (value == self.threshold and not self.strict)

    def excludes(self, dual_bound: float, constant_rounding: float) -> bool:
        """Whether this upper bound on the file's value leaves no room for an answer."""
        if self.threshold is None:
            return False
        bound = Fraction(dual_bound) + Fraction(constant_rounding)
        return bound < self.threshold or (bound == self.threshold and self.strict)
