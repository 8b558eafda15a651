"""The contents of a small site: a ledger with settings that differ, a wrong answer, hostile names, and evidence."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace

from PIL import Image

from support.ledger_builder import LedgerBuilder
from vnnbench.leaderboard.records import reader
from vnnbench.leaderboard.site.citations import Byline
from vnnbench.leaderboard.site.content import Source
from vnnbench.leaderboard.site.evidence import BestPoint, InstanceEvidence, InstanceFile, Outputs

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>/../../{{7*7}}&amp;%{x}\u2028\u202e"
"""A name that is markup, a path, a template, and more than one line."""


def png() -> bytes:
    """Return the smallest picture: a pixel."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1), 128).save(buffer, format="PNG")
    return buffer.getvalue()


def evidence_of(run: str) -> InstanceEvidence:
    """Return what is known of an instance with three classes, of which this run has found a counterexample."""
    clean, best = Outputs((0.0, -0.5, -1.0), (0.0, -0.5, -1.0)), Outputs((0.0, 0.25, -2.0), (0.0, 0.250001, -2.0))
    point = BestPoint(run, 0.25, 3, "L1", 0.75, 0.5, best, png(), png())
    return InstanceEvidence(0, (1,), png(), clean, point, (InstanceFile("model, MPS", HOSTILE),))


def source_of(
    ledger: LedgerBuilder,
    evidence: Mapping[str, InstanceEvidence] | None = None,
    logs: Mapping[str, str] | None = None,
) -> Source:
    """Return the source of a site of this ledger, by default without its library and without logs."""
    query = "SELECT run, witness, refuted FROM faults WHERE finding LIKE 'solver:%' OR finding LIKE 'formulation:%'"
    machines, witnesses = reader.read_tables(ledger.path, "SELECT * FROM machines", query)
    return Source(ledger.runs(), machines, witnesses, evidence or {}, logs or {}, "2026-01-01 00:00 UTC")


def tiny_source(ledger: LedgerBuilder) -> Source:
    """Fill the ledger and return the source of its site.

    Two settings ran on 150 instances of suite `first`, with one wrong answer of `scip`; one run has goal `find` and
    hostile names, one goal `optimize`. Two instances have evidence, two runs a log. Title and author are long words.
    """
    for number in range(150):
        digest = ledger.instance(f"easy-{number:03d}--tight", problem=f"p{number}", suite="first", binaries=number)
        ledger.found(f"h{number:03d}", digest, 0.1 * (number + 1), value=0.25)
        if number == 149:
            ledger.robust("wrong", digest, 1.0, solver="scip")
        elif number % 2:
            ledger.found(f"s{number:03d}", digest, 0.2 * (number + 1), solver="scip", value=0.25)
        else:
            ledger.run(f"s{number:03d}", digest, solver="scip")
    strange = ledger.instance(HOSTILE, problem=HOSTILE, suite=HOSTILE, network=HOSTILE, model=HOSTILE)
    ledger.found(
        "strange/../run", strange, 1.0, goal="find", settings=json.dumps({HOSTILE: HOSTILE}), raw_status=HOSTILE
    )
    closest = ledger.instance("closest--tight", problem="closest", suite="first", threshold=None)
    ledger.run("o1", closest, goal="optimize", termination="optimal", claimed_value=0.25, wall_seconds=2.0)
    ledger.judge("o1", confirmed=1, evidence="exact", best_exact_value=0.25)
    evidence = {"sha-easy-000--tight": evidence_of("h000"), strange: evidence_of("strange/../run")}
    source = source_of(ledger, evidence, {"wrong": f"SCIP 1.0\n\tpresolve {HOSTILE}\r\nrobust", "h149": "HiGHS"})
    return replace(source, byline=Byline("Long" * 50, ("Long" * 25, "<script>alert(1)</script>")))
