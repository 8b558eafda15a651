"""Planted answers: opens the sealed files beside a ledger and holds every run against them.

RESULTS/sealed/SHA256.json is the sealed file of a library that was run (`instances.sealed` writes it): problems whose
answer is known by construction, and the instances that ask them. What follows from it, in the frame of all runs:

    planted counterexample    a dense run that claims `infeasible`, or a bound below its value, is at fault, and its
                              `robust` is void
    planted robustness        a value of the dense network above its proven bound, in any run, means that judge or
                              construction is broken: fault `formulation`, which says so
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd

from leaderboard.records import BOUND_TOLERANCE, QUIET_BOUND_TOLERANCE, Evidence, Fault, LedgerError, Verdict
from solvers.base import Termination

SEALED_FOLDER = "sealed"
FORMAT = 1


class PlantedOutcome(StrEnum):
    """What a dense run made of a planted answer: gave it, claimed otherwise, or neither."""

    FOUND = "found"
    MISSED = "missed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Planted:
    """The answer of a problem, a verdict; value: one that the dense network reaches (adversarial), or one that it
    provably does not exceed (robust)."""

    answer: Verdict
    value: float


def apply_planted(runs: pd.DataFrame, results: Path) -> pd.DataFrame:
    """The runs with faults and verdicts as the planted answers say, and the column `planted`: a `PlantedOutcome`, None
    where a run is on no dense network or nothing was planted.

    Faults that a run has anyway stay. Raises `LedgerError`: a sealed file is broken, changed, or two disagree.
    """
    known = read_sealed(results / SEALED_FOLDER)
    runs = runs.assign(planted=pd.Series([None] * len(runs), index=runs.index, dtype=object))
    about = runs["instance_sha256"].isin(list(known))
    if about.any():
        judged = [_judged(run, known[run["instance_sha256"]]) for run in runs.loc[about].to_dict("records")]
        columns = ["verdict", "evidence", "fault", "fault_reason", "planted"]
        runs.loc[about, columns] = pd.DataFrame(judged, index=runs.index[about], columns=columns, dtype=object)
    return runs


def read_sealed(folder: Path) -> dict[str, Planted]:
    """The planted answers by instance_sha256, of all sealed files in the folder; none where there is no folder. Raises
    `LedgerError`."""
    known: dict[str, Planted] = {}
    for path in sorted(folder.glob("*.json")):
        for digest, planted in _read_one(path).items():
            if known.setdefault(digest, planted).answer is not planted.answer:
                raise LedgerError(f"{path}: contradicts another sealed file there on instance {digest[:16]}")
    return known


def _read_one(path: Path) -> dict[str, Planted]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LedgerError(f"{path}: cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != path.stem:
        raise LedgerError(f"{path}: is not the sealed file that its name says (sha256); run again to copy it anew")
    try:
        document: Any = json.loads(data)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}, this version reads {FORMAT}")
        return {digest: _planted(entry) for entry in document["problems"] for digest in entry["instances"].values()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LedgerError(f"{path}: is no file of planted answers ({error!r})") from error


def _planted(entry: dict[str, Any]) -> Planted:
    answer = Verdict(entry["answer"])
    value = float(entry[{Verdict.ADVERSARIAL: "value", Verdict.ROBUST: "bound"}[answer]])
    if not math.isfinite(value):
        raise ValueError(f"value {value}")
    return Planted(answer, value)


def _judged(run: dict[Any, Any], planted: Planted) -> tuple[str, str, str, str | None, str | None]:
    """Verdict, evidence, fault and its reason as the planted answer leaves them, and the outcome."""
    is_dense = run["network"] == run["dense_network"]
    verdict, evidence, fault, fault_reason = (run[key] for key in ("verdict", "evidence", "fault", "fault_reason"))
    if planted.answer is Verdict.ROBUST:
        refuted, reason = Fault.FORMULATION, _contradiction(run, planted.value)
    else:
        refuted, reason = Fault.SOLVER, _refutation(run, planted.value) if is_dense else None
    if reason and fault not in (Fault.SOLVER, Fault.FORMULATION):
        fault, fault_reason = refuted.value, reason
    outcome = _outcome(verdict, bool(reason), planted).value if is_dense else None
    if verdict == Verdict.ROBUST and (reason or planted.answer is Verdict.ADVERSARIAL):
        verdict, evidence = Verdict.UNKNOWN.value, Evidence.NONE.value
    return verdict, evidence, fault, fault_reason, outcome


def _refutation(run: dict[Any, Any], value: float) -> str | None:
    """Which claim of a dense run the planted value refutes; as in the view `faults`."""
    bound, witness = run["dual_bound"], f"{value} from the planted counterexample"
    if run["termination"] == Termination.INFEASIBLE:
        return f"claims infeasible, but has the value {witness}"
    if pd.notna(bound) and value > bound + BOUND_TOLERANCE * max(1.0, abs(value)) + run["constant_rounding"]:
        return f"claims the bound {bound}, refuted by {witness}"
    return None


def _contradiction(run: dict[Any, Any], bound: float) -> str | None:
    """What any run shows of the dense network that was proven impossible."""
    value = run["best_exact_value"]
    if pd.notna(value) and value > bound + QUIET_BOUND_TOLERANCE * max(1.0, abs(bound)):
        return f"the value {value} contradicts the planted bound {bound}: judge or construction is broken"
    return None


def _outcome(claimed: str, refuted: bool, planted: Planted) -> PlantedOutcome:
    if claimed == planted.answer:
        return PlantedOutcome.FOUND
    opposite = {Verdict.ADVERSARIAL: Verdict.ROBUST, Verdict.ROBUST: Verdict.ADVERSARIAL}[planted.answer]
    return PlantedOutcome.MISSED if refuted or claimed == opposite else PlantedOutcome.UNDECIDED
