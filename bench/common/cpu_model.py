"""The processor of this machine."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
_ARM = {"implementer": "CPU implementer", "part": "CPU part"}


def cpu_model() -> str:
    """Return the model name that Linux gives; where it gives none, as on ARM, the architecture with implementer and
    part, where known."""
    try:
        lines = CPUINFO.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(lines))}
    if name := facts.get("model name"):
        return name
    parts = [f"{word} {facts[key]}" for word, key in _ARM.items() if facts.get(key)]
    return " ".join([platform.machine(), *parts])
