"""The processor of this machine."""

from __future__ import annotations

import platform
from pathlib import Path


def cpu_model() -> str:
    """Return the model name that Linux gives; where it gives none, the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
