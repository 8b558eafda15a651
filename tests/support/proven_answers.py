"""Proven answers beside a ledger, as the harness would put them there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vnnbench.leaderboard.records.proven import Proven


def put_proven(folder: Path, data: bytes) -> Path:
    """Write the bytes of a file of proven answers below the folder of a ledger and return its path."""
    path = folder / "proven" / f"{hashlib.sha256(data).hexdigest()}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def prove(folder: Path, proven: Sequence[Proven], **more: Any) -> Path:
    """Write these answers, with more keys in each problem, as one file, and return its path."""
    problems = [
        {
            "problem": "p",
            "instances": {"name": one.instance_sha256},
            "answer": one.answer,
            "lower": one.lower,
            "upper": one.upper,
            "proof": one.proof,
            "bytes": one.n_bytes,
            "leaves": one.leaves,
            "seconds": one.seconds,
            **more,
        }
        for one in proven
    ]
    return put_proven(folder, json.dumps({"format": 1, "problems": problems}).encode())


def only_proven(folder: Path, proven: Sequence[Proven]) -> None:
    """Let these be the only proven answers beside a ledger."""
    for path in (folder / "proven").glob("*.json"):
        path.unlink()
    if proven:
        prove(folder, proven)
