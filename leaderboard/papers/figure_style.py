"""The style of static figures: the same letters on every machine, and the same data give the same bytes."""

from __future__ import annotations

from typing import Any

from vnnbench.common.text import CUT, plain, shortened
from vnnbench.leaderboard.tables.short_labels import LONGEST

STYLE: Any = {  # Any: matplotlib lists every key in its type
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9.0,
    "svg.hashsalt": "vnnbench",
    "svg.fonttype": "path",
    "axes.linewidth": 0.8,
}


def printable(text: str) -> str:
    """Return a text of any origin in letters that the font has, cut to a length that can be drawn quickly."""
    parts = plain(shortened(text, LONGEST)).split(CUT)  # the font has this sign, Latin-1 has not
    return CUT.join(part.encode("latin-1", "backslashreplace").decode("latin-1") for part in parts)
