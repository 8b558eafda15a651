"""Sealed answers of planted problems beside a ledger, as `merge` would put them there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def put_sealed(folder: Path, data: bytes) -> Path:
    """Write the bytes of a sealed file below the folder of a ledger and return its path, which is their sha256."""
    path = folder / "sealed" / f"{hashlib.sha256(data).hexdigest()}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def seal(folder: Path, problems: Sequence[Mapping[str, Any]], **more: Any) -> Path:
    """Write these problems with their answers as a sealed file, with more keys, and return its path."""
    return put_sealed(folder, json.dumps({"format": 1, "problems": problems, **more}).encode())
