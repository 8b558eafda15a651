"""The best known objective values of the instances of a ledger, in the form of MIPLIB's .solu files.

    =opt=  NAME OBJECTIVE    a verified value, and a bound that meets it: proven, or a dual bound of a run made here
    =best= NAME OBJECTIVE    the best verified value
    =inf=  NAME              a proof that no input of the set has a value
    =unkn= NAME              nothing is verified

OBJECTIVE is that of the file, which minimizes: minus the best value that some point of the input set provably reaches
on the instance's own network (`own_value` of any run, the dense network's `best_exact_value`, the set's centre, or a
proven answer), in exact arithmetic. The bound is one that a proof shows of the network, or a solver's claim that no
witness refutes, from a run on the same file without a fault; JSON names the proof or the run. It meets the value within
BOUND_TOLERANCE max(1, |value|) + constant_rounding, which is also the tolerance of a bound. A proven bound that meets
it comes before every claim.

A bound of a merged run rests on the word of its submitter and cannot be checked here: it never gives =opt=, and JSON
keeps it separate from those of runs that were made here.

A claim alone never gives =inf=, which a checked proof does: for a problem without a threshold, that no input of the set
has a value. If a fault of formulation was found, the file does not match its network, and its optimum is =unkn=.
Planted answers stay sealed and do not count as values.
Source of the format: the .solu files of MIPLIB 2017 and of SCIP's test sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd

from vnnbench.common.text import plain
from vnnbench.common.tolerances import BOUND_TOLERANCE
from vnnbench.leaderboard.records.query_columns import frame_within
from vnnbench.leaderboard.records.reader import read_tables
from vnnbench.leaderboard.records.refutation import CENTRE
from vnnbench.leaderboard.serialization import json_text
from vnnbench.leaderboard.words import Fault, is_submitted


class Known(StrEnum):
    """The knowledge about an instance's optimum."""

    OPTIMAL = "opt"
    BEST = "best"
    INFEASIBLE = "inf"
    UNKNOWN = "unkn"


@dataclass(frozen=True, slots=True)
class Answer:
    """The knowledge about one instance. Objectives are those of its file, minimized.

    value_from: the run that found the value, the set's centre, or "proof SHA256". bound_from: the run, made here, whose
    solver claims the best bound that is not refuted, with that solver and its machine, or "proof SHA256", without them;
    None without such a bound. submitted_...: the same for merged runs; submitted_meets: whether that bound would make
    the value the optimum.
    """

    instance: str
    instance_sha256: str
    known: Known
    objective: float | None
    value_from: str | None
    objective_bound: float | None
    bound_from: str | None
    bound_solver: str | None
    bound_machine: str | None
    submitted_objective_bound: float | None
    submitted_bound_from: str | None
    submitted_bound_solver: str | None
    submitted_bound_machine: str | None
    submitted_meets: bool


# The faults come first: they are computed instance by instance, and would be computed again for every attempt.
_BOUNDS = """
SELECT a.instance_sha256, a.run, a.bound, a.solver || ' ' || a.solver_version AS solver, a.machine,
    substr(f.finding, 1, instr(f.finding, ':') - 1) AS fault
FROM faults f CROSS JOIN attempts a USING (run) ORDER BY a.run
"""
_KEY = ["question", "network"]
_PROVEN = """
SELECT q.question, q.dense_network AS network, a.lower, a.upper, a.answer, 'proof ' || a.proof AS run
FROM proven_answers a JOIN questions q USING (instance_sha256)
"""


def read_answers(path: Path) -> list[Answer]:
    """Return the answer of every instance of a ledger, ordered by name. Raises `LedgerError`."""
    queries = (
        "SELECT instance, instance_sha256, constant_rounding, threshold FROM instances "
        "ORDER BY instance, instance_sha256",
        "SELECT * FROM questions",
        "SELECT r.instance_sha256, r.run, j.own_value, j.best_exact_value FROM results r JOIN latest_judgements j "
        "USING (run) ORDER BY r.run",
        _BOUNDS,
        _PROVEN,
    )
    instances, questions, judged, bounds, proven = map(frame_within, read_tables(path, *queries))
    best, proven_bounds = _best_values(questions, judged, proven), _proven_bounds(proven)
    without_value = set(zip(*(proven.loc[proven["answer"] == "robust", key] for key in _KEY), strict=True))
    network = dict(zip(questions["instance_sha256"], zip(*(questions[key] for key in _KEY), strict=True), strict=True))
    broken = set(bounds.loc[bounds["fault"] == Fault.FORMULATION.value, "instance_sha256"])
    sound = bounds[bounds["fault"].isin([Fault.NONE.value, Fault.TOLERANCE.value]) & bounds["bound"].notna()]
    submitted = sound["machine"].map(is_submitted).astype(bool)
    own_bounds, submitted_bounds = _best_bounds(sound[~submitted]), _best_bounds(sound[submitted])
    answers = []
    for instance, digest, rounding, threshold in instances.itertuples(index=False):
        key = network[digest]
        value, run = best.get(key, (None, None)) if digest not in broken else (None, None)
        bound = _better(proven_bounds.get(key), own_bounds.get(digest), value, rounding)
        claim = submitted_bounds.get(digest)
        known = Known.UNKNOWN if value is None else Known.BEST
        if value is not None and _meets(bound, value, rounding):
            known = Known.OPTIMAL
        elif value is None and digest not in broken and pd.isna(threshold) and key in without_value:
            known = Known.INFEASIBLE
        answers.append(
            Answer(
                instance=instance,
                instance_sha256=digest,
                known=known,
                objective=_objective(value),
                value_from=run,
                objective_bound=_objective(bound["bound"]) if bound else None,
                bound_from=bound["run"] if bound else None,
                bound_solver=bound["solver"] if bound else None,
                bound_machine=bound["machine"] if bound else None,
                submitted_objective_bound=_objective(claim["bound"]) if claim else None,
                submitted_bound_from=claim["run"] if claim else None,
                submitted_bound_solver=claim["solver"] if claim else None,
                submitted_bound_machine=claim["machine"] if claim else None,
                submitted_meets=value is not None and _meets(claim, value, rounding),
            )
        )
    return answers


def _proven_bounds(proven: pd.DataFrame) -> dict[tuple[str, str], dict[Hashable, Any]]:
    """Return, by question and network, the smallest proven bound as a row like those of `_BOUNDS`."""
    shown = proven[proven["upper"].notna()].sort_values("upper", kind="stable").drop_duplicates(_KEY)
    rows = shown.assign(bound=shown["upper"].astype(float), solver=None, machine=None).to_dict("records")
    return {(row["question"], row["network"]): row for row in rows}


def _better(
    proven: dict[Hashable, Any] | None, claimed: dict[Hashable, Any] | None, value: float | None, rounding: float
) -> dict[Hashable, Any] | None:
    """Return the proven bound if it meets the value or is at least as good as the claimed one, else the claimed one."""
    if proven is None or claimed is None:
        return proven or claimed
    meets = value is not None and _meets(proven, value, rounding)
    return proven if meets or proven["bound"] <= claimed["bound"] else claimed


def _best_bounds(bounds: pd.DataFrame) -> dict[str, dict[Hashable, Any]]:
    """Return, by instance, the row with the smallest bound."""
    best = bounds.sort_values("bound", kind="stable").drop_duplicates("instance_sha256").set_index("instance_sha256")
    return {str(digest): row for digest, row in best.to_dict("index").items()}


def _meets(bound: Mapping[Hashable, Any] | None, value: float, rounding: float) -> bool:
    """Return whether there is a bound that makes the value the optimum."""
    slack = BOUND_TOLERANCE * max(1.0, abs(value)) + rounding
    return bound is not None and bool(bound["bound"] <= value + slack)


def _best_values(
    questions: pd.DataFrame, judged: pd.DataFrame, proven: pd.DataFrame
) -> dict[tuple[str, str], tuple[float, str]]:
    """Return, by question and network, the largest verified value and its origin."""
    found = judged.merge(questions, on="instance_sha256")
    kinds = (
        found[["question", "network", "own_value", "run"]],
        found[["question", "dense_network", "best_exact_value", "run"]],
        questions[["question", "network", "centre_value"]].assign(run=CENTRE),
        proven[["question", "network", "lower", "run"]],
    )
    names = [*_KEY, "value", "run"]
    values = pd.concat([kind.set_axis(names, axis=1).dropna().astype({"value": float}) for kind in kinds])
    values = values.sort_values("value", ascending=False, kind="stable").drop_duplicates(_KEY)
    return {(question, network): (value, run) for question, network, value, run in values.itertuples(index=False)}


def _objective(value: float | None) -> float | None:
    return None if value is None else 0.0 - value  # avoids -0.0


def solu_text(answers: Iterable[Answer]) -> str:
    """Return the .solu file; objectives read back bit for bit.

    A blank, which would end a name, is written as \\x20. If several instances have one name, as from two versions of a
    library, the name is followed by @ and the first digits of the instance's hash.
    """
    answers, lines = list(answers), []
    named = Counter(answer.instance for answer in answers)
    for answer in answers:
        name = plain(answer.instance).replace(" ", "\\x20")
        name += f"@{answer.instance_sha256[:8]}" if named[answer.instance] > 1 else ""
        lines.append(
            " ".join([f"={answer.known}=", name, *([] if answer.objective is None else [repr(answer.objective)])])
        )
    return "".join(f"{line}\n" for line in lines)


def answers_json(answers: Iterable[Answer]) -> str:
    """Return the answers as a JSON list; null means none."""
    return json_text([asdict(answer) for answer in answers])
