"""Planted answers: the reader of the sealed files beside a ledger.

RESULTS/sealed/SHA256.json is the sealed file of a library that was run (`instances.library.sealed_answers` writes it).
It holds problems whose answer is known by construction, and their instances. Readers of the ledger check every claim
against them (`views`):

    planted counterexample    a witness like that of any run: it refutes a bound below its value, and `infeasible`, and
                              voids `robust`
    planted robustness        a value of the dense network above its proven bound, in any run, means that the judge or
                              the construction is broken: fault `formulation`, with this reason
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from vnnbench.leaderboard.records.named_files import digests, read_named

SEALED_FOLDER = "sealed"
MAX_SEALED_BYTES, MAX_SEALED_CONTAINERS = 64 << 20, 100_000
"""The limits of a sealed file, the same as for its writer (`vnnbench.instances.limits`)."""


class PlantedAnswer(StrEnum):
    """The planted answers, named by the verdict that they require."""

    ADVERSARIAL = "adversarial"
    ROBUST = "robust"


@dataclass(frozen=True, slots=True)
class Planted:
    """The planted answer of a problem.

    value: one that the dense network reaches (adversarial), or one that it provably does not exceed (robust).
    """

    answer: PlantedAnswer
    value: float


def read_sealed(folder: Path) -> dict[str, Planted]:
    """Return the planted answers by instance_sha256, of all sealed files in the folder; none without a folder.

    Raises ValueError, one line: a file is broken, is not what its name says, or contradicts another.
    """
    known: dict[str, Planted] = {}
    for path in sorted(folder.glob("*.json")):
        for digest, planted in _read_one(path).items():
            if known.setdefault(digest, planted).answer is not planted.answer:
                raise ValueError(f"{path}: contradicts another sealed file of the folder on instance {digest[:16]}")
    return known


def _read_one(path: Path) -> dict[str, Planted]:
    def parse(entries: list[Any]) -> dict[str, Planted]:
        return {digest: _planted(entry) for entry in entries for digest in digests(entry)}

    return read_named(path, "planted answers", MAX_SEALED_BYTES, MAX_SEALED_CONTAINERS, parse)


def _planted(entry: dict[str, Any]) -> Planted:
    answer = PlantedAnswer(entry["answer"])
    value = float(entry[{PlantedAnswer.ADVERSARIAL: "value", PlantedAnswer.ROBUST: "bound"}[answer]])
    if not math.isfinite(value):
        raise ValueError(f"value {value} is not finite")
    return Planted(answer, value)
