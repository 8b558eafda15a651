"""The look of settings: a colour, a dash and a marker each, the same in every plot, legend and table."""

from __future__ import annotations

from dataclasses import dataclass

COLOURS = 8
"""The number of colours in the style sheet, --s0 to --s7. Colour-blind readers can distinguish them too."""
_DASHES = ("solid", "dash", "dashdot", "longdash")  # "dot" is for bounds
_MARKERS = ("circle", "diamond", "square", "triangle-up", "cross", "triangle-down", "star", "x")
_STEP = 3  # by which markers shift from one block of colours to the next; prime to 8, so a colour meets all of them


@dataclass(frozen=True, slots=True)
class Look:
    """The look of a setting. colour: its number in the style sheet. dash, marker: their names in plotly."""

    colour: int
    dash: str
    marker: str


def look_of(place: int) -> Look:
    """Return the look of the setting in this place.

    No two of the first 64 share colour and marker, no two of the first 32 colour and dash, and each of the first eight
    has a colour of its own."""
    block, colour = divmod(place, COLOURS)
    return Look(colour, _DASHES[block % len(_DASHES)], _MARKERS[(colour + _STEP * block) % len(_MARKERS)])
