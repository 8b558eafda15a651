"""The scatter plots of [P], as PNG and SVG.

Figures are drawn without pyplot, so they open no window and share no state. The same data give the same SVG, byte for
byte: its identifiers are salted with a constant, and it does not hold a date.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from vnnbench.leaderboard.papers.figure_style import STYLE, printable
from vnnbench.leaderboard.papers.pham2025 import FIGURES, Panel, Scatter, Section
from vnnbench.leaderboard.ranges import DEFAULT_SECONDS
from vnnbench.leaderboard.text import count, format_percent

SURROGATE_FASTER, DENSE_FASTER, TIE = "#0072B2", "#D55E00", "#777777"  # colour-blind readers can distinguish them too

_PANEL_INCHES = 2.35


def draw_scatter(section: Section, scatter: Scatter) -> dict[str, bytes]:
    """Return the figure as "png" and "svg": a row of panels for each kind of pruning, one panel for each rate.

    Both axes of all figures of a section span the same decades, up to the time limit. A run without a counterexample is
    drawn there, as a square on the border. In the SVG each panel's marks are groups named `points-ROW-RATE` and
    `squares-ROW-RATE`.
    """
    shortest = shortest_decade(section)
    limits = (shortest, max(_limit(section), 10 * shortest))
    columns, rows = len(scatter.rows[0].panels), len(scatter.rows)
    size = (_PANEL_INCHES * columns + 0.6, (_PANEL_INCHES + 0.38) * rows + 0.95)
    with rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        figure.get_layout_engine().set(rect=(0, 0.42 / size[1], 1, 1 - 0.42 / size[1]))  # type: ignore[union-attr, call-arg]
        grid = figure.subplots(rows, columns, squeeze=False)
        for number, row in enumerate(scatter.rows):
            for axes, panel in zip(grid[number], row.panels, strict=True):
                _draw_panel(axes, panel, limits, f"{number}-{panel.rate:g}")
            grid[number][0].set_ylabel(f"{printable(row.kind)}\nsurrogate, seconds")
        for axes in grid.flat:
            axes.set_xlabel("dense, seconds")
            axes.label_outer()
        what = ", ".join(map(printable, (section.setting.label, section.formulation, section.dataset)))
        figure.suptitle(f"{what}: surrogates {FIGURES[scatter.number]}", parse_math=False, fontsize=11)
        figure.legend(handles=_legend(), loc="lower center", ncols=4, frameon=False)
        png, svg = BytesIO(), BytesIO()
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
        figure.set_layout_engine("none")  # the layout is done: repeating it would take as long as drawing
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return {"png": png.getvalue(), "svg": svg.getvalue()}


def shortest_decade(section: Section) -> float:
    """Return the power of ten at or below every time of a section, in seconds, and a decade or more below its limit."""
    times = [min(panel.dense_seconds.min(), panel.surrogate_seconds.min()) for panel in _panels(section)]
    shortest = max(min([*times, _limit(section) / 10]), 1e-3)  # clocks do not resolve less
    return float(10.0 ** np.floor(np.log10(shortest)))


def _limit(section: Section) -> float:
    """Return the time limit in seconds; the longest time if the instances have limits of their own."""
    if section.setting.time_limit_seconds is not None:
        return section.setting.time_limit_seconds
    times = [max(panel.dense_seconds.max(), panel.surrogate_seconds.max()) for panel in _panels(section)]
    return float(max(times, default=DEFAULT_SECONDS))


def _panels(section: Section) -> list[Panel]:
    return [panel for figure in section.figures for row in figure.rows for panel in row.panels if panel.pairs]


def _draw_panel(axes: Axes, panel: Panel, limits: tuple[float, float], name: str) -> None:
    axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits, box_aspect=1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(_ticks(*limits)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.plot(limits, limits, color="#444444", linewidth=0.8, linestyle="--", zorder=1)
    ties = f", {count(panel.ties, 'tie')}" if panel.ties else ""  # mostly in one spot, with both sides at the limit
    axes.set_title(f"rate {panel.rate:g}, {count(panel.pairs, 'pair')}{ties}", fontsize=9.0, pad=19)
    if not panel.pairs:
        axes.text(0.5, 0.5, "no pairs", transform=axes.transAxes, ha="center", va="center", color=TIE)
        return
    x = np.clip(panel.dense_seconds, *limits)
    y = np.clip(panel.surrogate_seconds, *limits)
    colour = np.where(x > y, SURROGATE_FASTER, np.where(x < y, DENSE_FASTER, TIE))
    for marks, marker, where, size in (("points", "o", ~panel.at_limit, 22), ("squares", "s", panel.at_limit, 26)):
        axes.scatter(
            x[where], y[where], s=size, c=colour[where].tolist(), marker=marker, alpha=0.75, linewidths=0.4,
            edgecolors="white", clip_on=False, zorder=3, gid=f"{marks}-{name}",
        )  # fmt: skip
    # Above the frame, where they do not hide points; at a small distance, because squares overlap the frame.
    for text, share, own_colour, place, align in (
        ("surrogate", panel.surrogate_faster, SURROGATE_FASTER, 0.0, "left"),
        ("dense", panel.dense_faster, DENSE_FASTER, 1.0, "right"),
    ):
        label = f"{text} {format_percent(share)}"
        axes.text(place, 1.04, label, color=own_colour, fontweight="bold", ha=align, transform=axes.transAxes)


def _ticks(shortest: float, limit: float) -> list[float]:
    """Return the decades, or every other one, and the limit itself, where the squares are; labels must not touch."""
    decades = 10.0 ** np.arange(np.log10(shortest), np.log10(limit / 3))
    return [*decades[:: 1 if len(decades) < 5 else 2].tolist(), limit]


def _legend() -> list[Line2D]:
    def mark(marker: str, colour: str, label: str) -> Line2D:
        return Line2D([], [], marker=marker, color=colour, linestyle="none", markersize=5, label=label)

    return [
        mark("o", SURROGATE_FASTER, "surrogate faster"),
        mark("o", DENSE_FASTER, "dense faster"),
        mark("o", TIE, "neither"),
        mark("s", "#222222", "no counterexample within the limit, on one side or both"),
    ]
