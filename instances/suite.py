"""The suite: a grid of instances, read from TOML with strict checks, and its plan with every name, nothing generated.

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
import re
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from instances.errors import SuiteError
from instances.input_set import Norm
from instances.problems import MAX_SEEDS
from instances.pruning import Method, Structure
from instances.toml_table import Table, instance_of, integer, interval, list_of, number, one_line, word_of
from instances.training_plan import FinetuningPlan, TrainingPlan

MAX_SIDE, MAX_DEPTH, MAX_WIDTH, MAX_EPOCHS, MAX_ROUNDS = 256, 32, 4096, 10_000, 100
MAX_INSTANCES = 1_000_000

_METHOD_CODES = {Method.MAGNITUDE: "mag", Method.RANDOM: "rnd"}
_STRUCTURE_CODES = {Structure.UNSTRUCTURED: "u", Structure.STRUCTURED: "n"}


class Formulation(StrEnum):
    """How a problem becomes a MILP."""

    TIGHT = "tight"
    SURROGATELIB = "surrogatelib"

    @property
    def bounds(self) -> str:
        """How its pre-activations are bounded, as the catalogue says it."""
        return {"tight": "backward", "surrogatelib": "box"}[self.value]


@dataclass(frozen=True, slots=True)
class Pruning:
    """What makes a surrogate of a dense network; `rate` is the share that goes, a whole number of percent."""

    method: Method
    structure: Structure
    rate: float
    finetuned: bool = False

    @property
    def name(self) -> str:
        """As in names: mag-u90, mag-u90-ft."""
        name = f"{_METHOD_CODES[self.method]}-{_STRUCTURE_CODES[self.structure]}{round(100 * self.rate)}"
        return f"{name}-ft" if self.finetuned else name


@dataclass(frozen=True, slots=True)
class Group:
    """Networks that train as one batch: the same data and hidden layers, one network per seed."""

    dataset: str
    side: int
    depth: int
    width: int
    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.dataset}-{self.side}x{self.side}-{self.depth}x{self.width}"

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
    norm: Norm
    pruning: Pruning | None
    formulation: Formulation

    @property
    def name(self) -> str:
        return f"{_joined(self.problem, self.pruning)}--{self.formulation}"

    @property
    def problem(self) -> str:
        return f"{self.dense_network}-{self.norm}"

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
    """A grid: every architecture at every side, with every seed, dense and pruned, in every formulation.

    radius: the interval that a problem's radius is drawn from. finetuning: None when no pruning is finetuned.
    """

    name: str
    description: str
    dataset: str
    input_sides: tuple[int, ...]
    architectures: tuple[tuple[int, int], ...]
    seeds: tuple[int, ...]
    formulations: tuple[Formulation, ...]
    training: TrainingPlan
    norm: Norm
    radius: tuple[float, float]
    prunings: tuple[Pruning, ...]
    finetuning: FinetuningPlan | None = None

    def groups(self) -> tuple[Group, ...]:
        return tuple(
            Group(self.dataset, side, depth, width, self.seeds)
            for side in self.input_sides
            for depth, width in self.architectures
        )

    def instances(self) -> Iterator[PlannedInstance]:
        """The plan, in the order of the catalogue."""
        for group in self.groups():
            for seed in self.seeds:
                for pruning in (None, *self.prunings):
                    for formulation in self.formulations:
                        yield PlannedInstance(group, seed, self.norm, pruning, formulation)

    @property
    def n_problems(self) -> int:
        return len(self.input_sides) * len(self.architectures) * len(self.seeds)

    @property
    def n_instances(self) -> int:
        return self.n_problems * (1 + len(self.prunings)) * len(self.formulations)

    @property
    def sha256(self) -> str:
        """Of what the suite means, without its description: comments and layout of the TOML do not matter."""
        document = asdict(self)
        del document["description"]
        # A suite without finetuning means what it meant before there was any.
        if not self.finetuning:
            del document["finetuning"]
        for pruning in document["prunings"]:
            if not pruning["finetuned"]:
                del pruning["finetuned"]
        return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


def builtin_suites() -> tuple[str, ...]:
    """Names of the suites that come with the package, sorted."""
    files = resources.files("instances.suites").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def load_suite(name_or_path: str | Path) -> Suite:
    """A built-in suite by name, or a suite from a .toml file.

    Raises SuiteError: one line that names the file and the key, what is wrong and what is right.
    """
    text = str(name_or_path)
    if text.endswith(".toml"):
        try:
            return parse_suite(Path(text).read_text(encoding="utf-8"), text)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise SuiteError(f"{text}: cannot be read ({reason}); name a suite file") from error
    if text not in builtin_suites():
        close = get_close_matches(text, builtin_suites(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(builtin_suites())}"
        raise SuiteError(f"unknown suite {text!r}: {hint}; a suite of your own is a file that ends in .toml")
    return parse_suite((resources.files("instances.suites") / f"{text}.toml").read_text(encoding="utf-8"), text)


def parse_suite(text: str, source: str) -> Suite:
    """The suite of a TOML text; `source` names it in errors. Raises SuiteError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{source}: is not TOML ({error})") from error
    table = Table(document, source, "")
    property_table = table.table("property")
    prunings = _prunings(table.tables("pruning"))
    suite = Suite(
        name=table.take("name", _name, "a name of a-z, 0-9 and -"),
        description=table.take("description", one_line, "one line of text", ""),
        dataset=table.take("dataset", _dataset, f"one of {', '.join(MAX_SEEDS)}"),
        input_sides=table.take("input_sides", list_of(integer(1, MAX_SIDE)), f"different sides of 1 to {MAX_SIDE}"),
        architectures=table.take(
            "architectures", list_of(_architecture), 'different "DEPTHxWIDTH", as in ["2x32", "4x64"]'
        ),
        seeds=table.take("seeds", list_of(integer(0, max(MAX_SEEDS.values()) - 1)), "different integers from 0"),
        formulations=table.take("formulations", list_of(word_of(Formulation)), f"some of {', '.join(Formulation)}"),
        training=_training(table.table("training")),
        norm=property_table.take("norm", word_of(Norm), f"one of {', '.join(Norm)}"),
        radius=property_table.take("radius", interval, "[LOWEST, HIGHEST], both positive"),
        prunings=prunings,
        finetuning=_finetuning(table, prunings),
    )
    property_table.finish()
    table.finish()
    limit = MAX_SEEDS[suite.dataset]
    if max(suite.seeds) >= limit:
        table.fail("seeds", suite.seeds, f"below {limit}: each seed has training images of {suite.dataset} of its own")
    if suite.n_instances > MAX_INSTANCES:
        raise SuiteError(f"{source}: makes {suite.n_instances} instances, a suite has at most {MAX_INSTANCES}")
    return suite


def _training(table: Table) -> TrainingPlan:
    default = TrainingPlan(epochs=1)
    plan = TrainingPlan(
        epochs=table.take("epochs", integer(1, MAX_EPOCHS), f"an integer of 1 to {MAX_EPOCHS}"),
        batch_size=table.take("batch_size", integer(1, 1_000_000), "a positive integer", default.batch_size),
        learning_rate=table.take("learning_rate", number(0.0, 1e3), "a positive number", default.learning_rate),
        weight_decay=table.take(
            "weight_decay", number(0.0, 1e3, closed=True), "a number of at least 0", default.weight_decay
        ),
    )
    table.finish()
    return plan


def _prunings(tables: list[Table]) -> tuple[Pruning, ...]:
    prunings: list[Pruning] = []
    for table in tables:
        method = table.take("method", word_of(Method), f"one of {', '.join(Method)}")
        structure = table.take("structure", word_of(Structure), f"one of {', '.join(Structure)}")
        rates = table.take("rates", list_of(_rate), "different shares between 0 and 1, whole percents, as in [0.5]")
        finetuned = table.take("finetuned", list_of(instance_of(bool)), "[false], [true] or [false, true]", (False,))
        table.finish()
        for pruning in [Pruning(method, structure, rate, choice) for choice in finetuned for rate in rates]:
            if pruning in prunings:
                table.fail("rates", pruning.rate, "listed once only for this method and structure, finetuned or not")
            prunings.append(pruning)
    return tuple(prunings)


def _finetuning(suite_table: Table, prunings: tuple[Pruning, ...]) -> FinetuningPlan | None:
    if not any(pruning.finetuned for pruning in prunings):
        if "finetuning" in suite_table.values:
            suite_table.fail("finetuning", suite_table.values["finetuning"], "left out: no pruning is finetuned")
        return None
    table = suite_table.table("finetuning")
    plan = FinetuningPlan(
        rounds=table.take("rounds", integer(1, MAX_ROUNDS), f"an integer of 1 to {MAX_ROUNDS}"),
        epochs=table.take("epochs", integer(1, MAX_EPOCHS), f"an integer of 1 to {MAX_EPOCHS}, for each round"),
    )
    table.finish()
    return plan


def _joined(name: str, pruning: Pruning | None) -> str:
    return name if pruning is None else f"{name}-{pruning.name}"


def _name(value: Any) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one_line(value)) or len(value) > 60:
        raise ValueError
    return str(value)


def _dataset(value: Any) -> str:
    if one_line(value) not in MAX_SEEDS:
        raise ValueError
    return str(value)


def _rate(value: Any) -> float:
    rate = number(0.0, 1.0)(value)
    if rate not in [percent / 100 for percent in range(1, 100)]:  # names hold whole percents
        raise ValueError
    return float(rate)


def _architecture(value: Any) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,2})x([1-9]\d{0,4})", one_line(value))
    if not match or int(match[1]) > MAX_DEPTH or int(match[2]) > MAX_WIDTH:
        raise ValueError
    return int(match[1]), int(match[2])
