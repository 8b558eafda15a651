"""Runs of single children below the harness: what they are asked, and an observer that listens."""

from __future__ import annotations

from pathlib import Path

from vnnbench.isolation.protocol import Frame, Kind


class Bystander:
    """An observer that is never satisfied and keeps what it hears.

    kinds: of all frames. incumbents: the bytes of their columns, float64.
    """

    def __init__(self) -> None:
        self.kinds: list[Kind] = []
        self.incumbents: list[bytes] = []

    def on_frame(self, frame: Frame, seconds: float) -> None:
        """Keep the frame."""
        self.kinds.append(frame.kind)
        if frame.kind is Kind.INCUMBENT:
            self.incumbents.append(frame.floats.tobytes())

    def work(self) -> bool:
        """Return that there is nothing to do."""
        return False

    def satisfied_at(self) -> float | None:
        """Return that nothing satisfied it."""
        return None


def request_for(model: Path, folder: Path, **options: str) -> dict[str, object]:
    """Return the request to solve this model file with these options of the solver, with its log in the folder."""
    return {
        "model_path": str(model), "log_path": str(folder / "solver.log"), "time_limit_seconds": 60.0, "threads": 1,
        "seed": 3, "mip_gap": 0.0, "node_limit": None, "options": options,
    }  # fmt: skip
