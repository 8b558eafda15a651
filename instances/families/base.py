"""The interface of a problem family. Library, harness, judge and leaderboard use a family only through it.

A family reads its property file, names the library's files that an instance needs, makes evaluators from their
contents, and defines candidates: float64 vectors, such as inputs. It is registered once, in `families.FAMILIES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.families.exhibit import Exhibit
from vnnbench.instances.formulations.lifting import LiftedPoint
from vnnbench.instances.formulations.milp import MilpModel

Decoder = Callable[[Float64Array], Float64Array]
Fact = str | int | float | None


@dataclass(frozen=True, slots=True)
class DeployedValue:
    """The value by ONNX Runtime in float32, and whether the answer also holds there against every class.

    The second is None in a family without classes.
    """

    value: float
    beats_all: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class NetworkOutputs:
    """The outputs y (n_L,) of a network at one input: exact, and in float32 by ONNX Runtime."""

    exact: list[Fraction]
    float32: Float32Array


class Evaluator(ABC):
    """The values of a problem's candidates on one network, or on another object that its family evaluates them on."""

    def prepare(self) -> None:  # noqa: B027 - most families have nothing to prepare
        """Load what `deployed` and `outputs` need, so that later calls are fast. Raises `InputError`."""

    @abstractmethod
    def value(self, candidate: Float64Array) -> Fraction | None:
        """Return the problem's value at a feasible candidate, exactly; None where it has none."""

    def reach(self, point: Float64Array) -> tuple[Float64Array, Fraction]:
        """Return a feasible candidate that has a value, near the given one, and how much further out it lies.

        If the given candidate has a value, or none is found near it, the result is the candidate itself and 0.
        """
        return point, Fraction(0)

    @abstractmethod
    def replay(self, candidate: Float64Array) -> Fraction:
        """Return the exact value at a candidate as given, feasible or not, for comparison with the file's value."""

    @abstractmethod
    def deployed(self, candidate: Float64Array) -> DeployedValue:
        """Return the value as deployed: in float32, at the feasible candidate rounded to float32 within the set."""

    def measures(self, candidate: Float64Array) -> dict[str, float]:
        """Return finite numbers about a feasible candidate beside its value, by name: a-z, 0-9 and _ in each."""
        return {}

    def outputs(self, point: Float64Array) -> NetworkOutputs | None:
        """Return the outputs at a feasible candidate; None in a family whose candidates are not a network's inputs."""
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluators:
    """The two evaluators that judge an instance's candidates.

    original: evaluates the problem itself, on its dense network if it has one. own: evaluates what the instance's model
    was made from, such as a surrogate; the same object if that is the original.
    """

    original: Evaluator
    own: Evaluator


class CandidateLifter(Protocol):
    """A model prepared for lifting candidates (`formulations.lifting.Lifter`)."""

    def lift(self, x: Float64Array) -> LiftedPoint:
        """Return the model's view of a candidate. Raises `ModelError` when a column has no known meaning."""


class InstanceNames(Protocol):
    """The columns of the catalogue by which a family finds the files of an instance."""

    @property
    def problem(self) -> str: ...
    @property
    def dataset(self) -> str | None: ...
    @property
    def network(self) -> str | None: ...
    @property
    def dense_network(self) -> str | None: ...


class Problem(ABC):
    """One problem, as read from its property file.

    family: the family's name in property files and in the catalogue.
    candidate_text, confirmed_text: phrases for a candidate, and for a confirmed one.
    catalog_columns: columns of the catalogue that every instance of the family fills, beside those of all families.
    threshold: a value beyond it answers the question; None if there is none and only the goal `optimize` makes sense.
    strict: whether the value must exceed the threshold; else reaching it is enough.
    confirmed_verdict: the verdict of a run that has a confirmed candidate. excluded_verdict: the verdict of a run whose
    bound leaves no room for one; None: a bound decides nothing.
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
        """Make the problem of a property file's JSON object. Raises `PropertyError`, or KeyError for a missing key."""

    @classmethod
    def data_files(cls, names: InstanceNames) -> dict[str, str]:
        """Return the files, beside the property, from which an instance's values are computed.

        They are paths in the library by the names of the parts, in the order in which these enter `instance_sha256`.
        A ledger identifies a problem by its property and by the parts `network` and `dense_network`. The property must
        therefore fix any other part, as by its sha256.
        """
        return {}

    @abstractmethod
    def evaluators(self, data: Mapping[str, bytes]) -> Evaluators:
        """Return the evaluators of an instance's candidates. data: the contents of `data_files`, by part.

        Raises `InputError`.
        """

    @property
    @abstractmethod
    def centre(self) -> Float64Array:
        """Return a candidate that is always feasible: for an input set the clean input."""

    def points(self, generator: np.random.Generator) -> Iterator[tuple[str, Float64Array]]:
        """Yield candidates exactly in the set, for the check of a library's files, each with a label.

        They are the centre and three points: far from it, half as far, and with few numbers moved.
        """
        centre = self.centre
        yield "the clean input", centre
        step = generator.normal(size=len(centre))
        few = np.where(generator.random(len(centre)) < 0.1, step, 0.0)
        far = self.repair(centre + step)
        halfway = None if far is None else self.repair(centre + 0.5 * (far - centre))
        for label, x in (
            ("a far point", far),
            ("a halfway point", halfway),
            ("a sparse point", self.repair(centre + few)),
        ):
            if x is not None:
                yield label, x

    @abstractmethod
    def decoder(self, column_names: Sequence[str]) -> Decoder:
        """Return a function that turns the columns of a solution, in this order, into a candidate.

        Raises `PropertyError` when the names do not cover a candidate.
        """

    @abstractmethod
    def columns_read(self, column_names: Sequence[str]) -> frozenset[str]:
        """Return those of these columns that a decoder reads."""

    @abstractmethod
    def violation(self, candidate: Float64Array) -> Fraction:
        """Return how far the candidate is outside the feasible set, exactly; 0 when inside."""

    @abstractmethod
    def repair(self, candidate: Float64Array) -> Float64Array | None:
        """Return a candidate exactly inside the set, near the given one; None if none is found."""

    def lifter(self, model: MilpModel) -> CandidateLifter | None:
        """Return a lifter of candidates into a model of this problem; None without one. Raises `ModelError`."""
        return None

    def facts(self) -> dict[str, Fact]:
        """Return the columns of the catalogue that follow from the problem alone; None for those its family lacks."""
        unknown: dict[str, Fact] = dict.fromkeys(("dataset", "norm", "radius", "sample", "source", "target"))
        return {**unknown, "family": self.family, "strict": int(self.strict), "threshold": self.threshold}

    def question(self) -> str | None:
        """Return what the problem asks, in a line; None if its family has no words for it."""
        return None

    @property
    def value_is_column(self) -> bool:
        """Return whether the value is a column of its own in the file.

        Then a solution may claim less than its candidate reaches, never more; else the two are equal.
        """
        return False

    def exhibit(self, candidate: Float64Array) -> Exhibit | None:
        """Return what a page shows of a feasible candidate; None where it has a page's own form, such as an input."""
        return None

    def ledger_facts(self) -> dict[str, Fact]:
        """Return the facts about the family that the ledger stores beside the catalogue; it uses no family's name."""
        return {
            "value_is_column": int(self.value_is_column),
            "confirmed_verdict": self.confirmed_verdict,
            "excluded_verdict": self.excluded_verdict,
        }

    def confirms(self, value: Fraction) -> bool:
        """Return whether a point of the set with this exact value is confirmed: without a threshold, every one is."""
        return self.threshold is None or self.answers(value)

    def answers(self, value: Fraction) -> bool:
        """Return whether this exact value answers the question (for `verify`: is a counterexample)."""
        if self.threshold is None:
            return False
        return value > self.threshold or (value == self.threshold and not self.strict)

    def excludes(self, dual_bound: float, constant_rounding: float) -> bool:
        """Return whether this upper bound on the file's value leaves no room for an answer."""
        if self.threshold is None:
            return False
        bound = Fraction(dual_bound) + Fraction(constant_rounding)
        return bound < self.threshold or (bound == self.threshold and self.strict)
