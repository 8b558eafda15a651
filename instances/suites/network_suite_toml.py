"""The reader of suites over networks from TOML tables; `suite_toml` reads the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from vnnbench.common.toml_table import (
    Check,
    Table,
    instance_of,
    integer,
    interval,
    list_of,
    number,
    one_line,
    one_of,
    word_of,
)
from vnnbench.instances.bounds.levels import DEFAULT_BOUNDS, BoundLevel
from vnnbench.instances.errors import SuiteError
from vnnbench.instances.networks.pruning import Method, Structure
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.suites.network_suite import (
    SPR,
    AttackGoal,
    Family,
    Formulation,
    NetworkSuite,
    Planting,
    Pruning,
    Question,
)
from vnnbench.instances.suites.sampling import MAX_SEEDS
from vnnbench.instances.training.plan import FinetuningPlan, Optimizer, SprPlan, TrainingPlan

MAX_SIDE, MAX_INPUTS, MAX_DEPTH, MAX_WIDTH, MAX_EPOCHS, MAX_ROUNDS = 256, 256**2, 32, 4096, 10_000, 100
MAX_SEED = 2**31
MIN_MARGIN = 1e-4
"""The least margin: solvers may violate a row by up to 1e-6, so a margin must be well above that."""


def verify_suite(table: Table, name: str, description: str) -> NetworkSuite:
    """Return the suite of a table: trained networks, and questions about their training images. Raises SuiteError."""
    suite = _suite(table, name, description, Family.VERIFY, _trained)
    if Formulation.SURROGATELIB in suite.formulations:
        for question in suite.questions:
            if question.norm is Norm.LINF or question.goal is not AttackGoal.TARGETED:
                unsupported = f"norm {question.norm}, goal {question.goal}"
                raise SuiteError(
                    f"{table.source}: formulations holds surrogatelib, which does not support {unsupported}; use tight"
                )
    return suite


def maximize_suite(table: Table, name: str, description: str) -> NetworkSuite:
    """Return the suite of a table: untrained networks, each of which is maximized. Raises SuiteError."""
    return _suite(table, name, description, Family.MAXIMIZE, _untrained)


def _suite(
    table: Table, name: str, description: str, family: Family, read_data: Callable[[Table], dict[str, Any]]
) -> NetworkSuite:
    prunings = _prunings(table.tables("pruning"))
    if family is Family.MAXIMIZE and any(pruning.finetuned for pruning in prunings):
        table.fail("pruning", [p.name for p in prunings], "not finetuned: there are no images to train on")
    return NetworkSuite(
        name=name,
        description=description,
        architectures=table.take(
            "architectures", list_of(_architecture), 'different "DEPTHxWIDTH", as in ["2x32", "4x64"]'
        ),
        formulations=table.take("formulations", list_of(word_of(Formulation)), f"some of {', '.join(Formulation)}"),
        bounds=table.take("bounds", word_of(BoundLevel), f"one of {', '.join(BoundLevel)}", DEFAULT_BOUNDS),
        prunings=prunings,
        finetuning=_finetuning(table, prunings),
        spr=_spr(table, prunings),
        family=family,
        **read_data(table),
    )


def _trained(table: Table) -> dict[str, Any]:
    """Return the values that only suites on a data set have."""
    dataset = table.take("dataset", one_of(MAX_SEEDS), f"one of {', '.join(MAX_SEEDS)}")
    seeds = table.take("seeds", list_of(integer(0, max(MAX_SEEDS.values()) - 1)), "different integers from 0")
    if max(seeds) >= MAX_SEEDS[dataset]:
        table.fail("seeds", seeds, f"below {MAX_SEEDS[dataset]}: each seed has training images of {dataset} of its own")
    questions = _questions(table)
    return {
        "dataset": dataset,
        "input_sides": table.take("input_sides", list_of(integer(1, MAX_SIDE)), f"different sides of 1 to {MAX_SIDE}"),
        "seeds": seeds,
        "training": _training(table.table("training")),
        "questions": questions,
        "planted": _planted(table, len(seeds), questions),
    }


def _untrained(table: Table) -> dict[str, Any]:
    """Return the values that only suites on untrained networks have."""
    prop = table.table("property")
    norm = prop.take("norm", _only(Norm.BOX), f"{Norm.BOX}: every input lies in [0, 1]")
    prop.finish()
    _left_out(table, "planted", "answers are planted in trained networks only")
    return {
        "dataset": None,
        "input_sides": (),
        "inputs": table.take("inputs", list_of(integer(1, MAX_INPUTS)), f"different numbers of 1 to {MAX_INPUTS}"),
        "seeds": table.take("seeds", list_of(integer(0, MAX_SEED)), "different integers from 0"),
        "training": None,
        "questions": (Question(norm, None),),
    }


def _questions(suite_table: Table) -> tuple[Question, ...]:
    questions: list[Question] = []
    for table in suite_table.table_or_tables("property"):
        question = _question(table)
        if {plan.name for plan in question.properties()} & {plan.name for q in questions for plan in q.properties()}:
            table.fail("norm", question.norm.value, "used only once with this goal; give one property several radii")
        questions.append(question)
    return tuple(questions)


def _question(table: Table) -> Question:
    norm = table.take("norm", _ball, f"one of {Norm.L1}, {Norm.LINF}")
    goal = table.take("goal", word_of(AttackGoal), f"one of {', '.join(AttackGoal)}", AttackGoal.TARGETED)
    radius: tuple[float, float] | None = None
    radii: tuple[float, ...] = ()
    if "radii" in table.values:
        radii = table.take("radii", list_of(number(0.0, 1e6)), "different positive numbers, one problem each")
    else:
        radius = table.take("radius", interval, "[LOWEST, HIGHEST], both positive; or give radii, one problem each")
    margin: float | None = None
    if goal is AttackGoal.CLOSEST:
        margin = table.take("margin", number(MIN_MARGIN, 1e6, closed=True), f"a number of at least {MIN_MARGIN}")
    else:
        _left_out(table, "margin", f"only goal = {AttackGoal.CLOSEST.value!r} has one")
    table.finish()
    return Question(norm, radius, radii, goal, margin)


def _training(table: Table) -> TrainingPlan:
    default = TrainingPlan(epochs=1)
    plan = TrainingPlan(
        epochs=table.take("epochs", integer(1, MAX_EPOCHS), f"an integer of 1 to {MAX_EPOCHS}"),
        batch_size=table.take("batch_size", integer(1, 1_000_000), "a positive integer", default.batch_size),
        learning_rate=table.take("learning_rate", number(0.0, 1e3), "a positive number", default.learning_rate),
        weight_decay=table.take(
            "weight_decay", number(0.0, 1e3, closed=True), "a number of at least 0", default.weight_decay
        ),
        optimizer=table.take("optimizer", word_of(Optimizer), f"one of {', '.join(Optimizer)}", default.optimizer),
    )
    table.finish()
    return plan


def _prunings(tables: list[Table]) -> tuple[Pruning, ...]:
    prunings: list[Pruning] = []
    for table in tables:
        method = table.take("method", word_of(Method), f"one of {', '.join(Method)}")
        if method is Method.SPR:
            table.finish()
            if SPR in prunings:
                table.fail("method", method.value, "listed once only")
            prunings.append(SPR)
            continue
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
    if not any(pruning.finetuned and pruning != SPR for pruning in prunings):
        _left_out(suite_table, "finetuning", "no pruning is finetuned")
        return None
    table = suite_table.table("finetuning")
    plan = FinetuningPlan(
        rounds=table.take("rounds", integer(1, MAX_ROUNDS), f"an integer of 1 to {MAX_ROUNDS}"),
        epochs=table.take("epochs", integer(1, MAX_EPOCHS), f"an integer of 1 to {MAX_EPOCHS}, for each round"),
    )
    table.finish()
    return plan


def _spr(suite_table: Table, prunings: tuple[Pruning, ...]) -> SprPlan | None:
    if SPR not in prunings:
        _left_out(suite_table, "spr", 'no pruning has method = "spr"')
        return None
    table = suite_table.table("spr")
    positives = list_of(number(0.0, 1e6))
    plan = SprPlan(
        lambdas=table.take("lambdas", positives, "different positive numbers"),
        alphas=table.take("alphas", list_of(_share), "different numbers between 0 and 1"),
        threshold=table.take("threshold", number(0.0, 1.0), "a number between 0 and 1"),
        accuracy_loss=table.take("accuracy_loss", _share, "a share of the test images, between 0 and 1"),
        finetuning_epochs=table.take("finetuning_epochs", integer(1, MAX_EPOCHS), f"an integer of 1 to {MAX_EPOCHS}"),
    )
    table.finish()
    return plan


def _planted(suite_table: Table, n_seeds: int, questions: tuple[Question, ...]) -> Planting | None:
    if "planted" not in suite_table.values:
        suite_table.known.append("planted")
        return None
    if all(question.goal is AttackGoal.CLOSEST for question in questions):
        _left_out(suite_table, "planted", f"a property of goal {AttackGoal.CLOSEST} has no answer to plant")
    table = suite_table.table("planted")
    number = integer(0, n_seeds)
    right = f"a number of 0 to {n_seeds}, of the seeds of every architecture"
    plan = Planting(table.take("counterexample", number, right), table.take("robust", number, right))
    table.finish()
    if not 1 <= plan.counterexample + plan.robust <= n_seeds:
        suite_table.fail("planted", plan.counterexample + plan.robust, f"1 to {n_seeds} together: a seed each")
    return plan


def _left_out(table: Table, key: str, reason: str) -> None:
    if key in table.values:
        table.fail(key, table.values[key], f"left out: {reason}")


def _ball(value: Any) -> Norm:
    if (norm := Norm(one_line(value))) is Norm.BOX:
        raise ValueError
    return norm


def _only(norm: Norm) -> Check:
    def check(value: Any) -> Norm:
        if one_line(value) != norm:
            raise ValueError
        return norm

    return check


def _share(value: Any) -> float:
    share: float = number(0.0, 1.0)(value)
    if share == 1.0:
        raise ValueError
    return share


def _rate(value: Any) -> float:
    rate = _share(value)
    if rate not in [percent / 100 for percent in range(1, 100)]:  # names hold whole percents
        raise ValueError
    return rate


def _architecture(value: Any) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,2})x([1-9]\d{0,4})", one_line(value))
    if not match or int(match[1]) > MAX_DEPTH or int(match[2]) > MAX_WIDTH:
        raise ValueError
    return int(match[1]), int(match[2])
