"""Pictures like Figure 5 of [R] (Rosenhahn 2023, JOTA 199:931-954): how a network divides the plane of two features.

They show samples of each class, the classes that the network predicts, and its neurons' lines. The same plane gives the
same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from vnnbench.leaderboard.papers.figure_style import STYLE, printable

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")
"""The colours of classes, which colour-blind readers can distinguish too; further classes use them again."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "p", "h", "<", ">", "d")
"""The markers of classes; their number has no divisor in common with that of the colours."""
SHOWN_CLASSES = 12
"""The most classes that the legend names."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples with two features: points (T, 2), classes (T,) counted from 0."""

    points: NDArray[np.float64]
    classes: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class DecisionPlane:
    """A plane to be drawn: the square [0, side]^2 of two features.

    axes, classes: names of the two, and of the classes.
    regions (R, R): the predicted class of each cell, by row of y and column of x, from 0 upwards. lines (n, 3): each
    (a, b, c) is a line a x + b y = c, with (a, b) not 0.
    """

    axes: tuple[str, str]
    classes: tuple[str, ...]
    training: Samples
    test: Samples
    side: float
    regions: NDArray[np.int64]
    lines: NDArray[np.float64]


def draw_plane(plane: DecisionPlane) -> bytes:
    """Return the picture as PNG: filled marks are training samples, hollow ones test samples."""
    with rc_context(STYLE):
        figure = Figure(figsize=(5.6, 4.4), layout="constrained")
        axes = figure.subplots()
        axes.set(xlim=(0, plane.side), ylim=(0, plane.side), box_aspect=1)
        n_classes = len(plane.classes)
        axes.imshow(
            plane.regions, origin="lower", extent=(0, plane.side, 0, plane.side), vmin=-0.5, vmax=n_classes - 0.5,
            cmap=ListedColormap([_colour(k) for k in range(n_classes)]), alpha=0.22, interpolation="nearest",
        )  # fmt: skip
        for a, b, c in plane.lines:
            _draw_line(axes, a, b, c, plane.side)
        for samples, is_training in ((plane.test, False), (plane.training, True)):
            _draw_samples(axes, samples, n_classes, is_training=is_training)
        axes.set_xlabel(printable(plane.axes[0]), parse_math=False)
        axes.set_ylabel(printable(plane.axes[1]), parse_math=False)
        legend = figure.legend(handles=_legend(plane), loc="outside right upper", frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)
        png = BytesIO()
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return png.getvalue()


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def _draw_line(axes: Axes, a: float, b: float, c: float, side: float) -> None:
    """Draw a x + b y = c across the square, along the axis in which the line is less steep."""
    ends = np.array([0.0, side])
    x, y = (ends, (c - a * ends) / b) if abs(b) >= abs(a) else ((c - b * ends) / a, ends)
    axes.plot(x, y, color="#333333", linewidth=1.1, linestyle="--", zorder=2)


def _draw_samples(axes: Axes, samples: Samples, n_classes: int, *, is_training: bool) -> None:
    for k in range(n_classes):
        own = samples.points[samples.classes == k]
        axes.scatter(
            own[:, 0], own[:, 1], s=24, marker=MARKERS[k % len(MARKERS)], linewidths=1.0, edgecolors=_colour(k),
            facecolors=_colour(k) if is_training else "white", clip_on=False, zorder=4 if is_training else 3,
        )  # fmt: skip


def _legend(plane: DecisionPlane) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D(
            [], [], marker=MARKERS[k % len(MARKERS)], color=_colour(k), linestyle="none", markersize=5,
            label=f"class {printable(name)}",
        )
        for k, name in enumerate(plane.classes[:SHOWN_CLASSES])
    ]  # fmt: skip
    if len(plane.classes) > SHOWN_CLASSES:
        handles.append(Patch(visible=False, label=f"and {len(plane.classes) - SHOWN_CLASSES} more classes"))
    return [
        *handles,
        Line2D([], [], marker="o", color="#333333", linestyle="none", markersize=5, label="training sample"),
        Line2D(
            [], [], marker="o", color="#333333", linestyle="none", markersize=5, markerfacecolor="white",
            label="test sample",
        ),
        Patch(facecolor="#333333", alpha=0.22, label="predicted class"),
        Line2D([], [], color="#333333", linewidth=1.1, linestyle="--", label="line of a neuron"),
    ]  # fmt: skip
