"""The interface of a problem family. Harness, judge and leaderboard know a family only through it.

A candidate is a float64 vector; what it means is the family's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.networks.exact import ExactNetwork
from vnnbench.instances.onnx_files.runtime import OnnxRuntime

Decoder = Callable[[Float64Array], Float64Array]
Fact = str | int | float | None


@dataclass(frozen=True, slots=True)
class DeployedValue:
    """The value by ONNX Runtime in float32, and whether the answer also holds there against every class (None where
    there are no classes)."""

    value: float
    beats_all: bool | None


class Problem(ABC):
    """One question, as read from its property file.

    threshold: a value beyond it answers the question; None when there is none and only `optimize` makes sense.
    strict: the value must exceed the threshold; else reaching it is enough.
    confirmed_text: what a confirmed candidate is called. confirmed_verdict: the verdict of a run that has one.
    excluded_verdict: the verdict of a run whose bound leaves no room for one; None: a bound decides nothing.
    """

    family: ClassVar[str]
    confirmed_text: ClassVar[str]
    confirmed_verdict: ClassVar[str] = "value"
    excluded_verdict: ClassVar[str | None] = None
    threshold: float | None
    strict: bool

    @property
    @abstractmethod
    def centre(self) -> Float64Array:
        """A candidate that is always in the set: the clean input."""

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

    @abstractmethod
    def evaluate(self, network: ExactNetwork, candidate: Float64Array) -> Fraction | None:
        """The problem's value on a network at a feasible candidate, exactly; None where it has none."""

    def reach(self, network: ExactNetwork, point: Float64Array) -> tuple[Float64Array, Fraction]:
        """A feasible candidate near a feasible one, at which the network has a value, and how much further out it lies;
        the same and 0 where it has one, or none is found near."""
        return point, Fraction(0)

    @abstractmethod
    def replay(self, network: ExactNetwork, candidate: Float64Array) -> Fraction:
        """What the file's value is held against: the value at a candidate as it is, in the set or not, exactly."""

    def centre_value(self, network: ExactNetwork) -> float | None:
        """The value of a network at the centre, exact, then rounded to float64; None where it has none there."""
        value = self.evaluate(network, self.centre)
        return None if value is None else float(value)

    @abstractmethod
    def evaluate_deployed(self, runtime: OnnxRuntime, candidate: Float64Array) -> DeployedValue:
        """The value as deployed: float32 arithmetic on the candidate rounded to float32 within the set."""

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
