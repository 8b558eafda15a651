"""What inspecting commands show: tables with rich, images in block characters, JSON. Data goes to stdout.

Names from files are anyone's: they are printed as plain text, never as markup.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.counterexample import Counterexample
from instances.network import Float64Array
from leaderboard.tables import PLAIN_WIDTH, format_number, plain

SHADES = " ░▒▓█"


def console() -> Console:
    """stdout: as wide as the terminal and in colour if it is one, else 80 columns without any ANSI."""
    if sys.stdout.isatty():
        return Console()
    return Console(width=PLAIN_WIDTH, force_terminal=False, no_color=True)


def print_json(document: object) -> None:
    """One JSON document; null for none."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], legend: str = "") -> None:
    """A table; numbers to the right, None as a dash."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=Text(plain(title)), title_justify="left")
    cells = [list(row) for row in rows]
    for position, column in enumerate(columns):
        numeric = all(isinstance(row[position], int | float) or row[position] is None for row in cells)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(_cell(value)) for value in row))
    target = console()
    target.print(table)
    if legend:
        target.print(Text(legend, style="dim"))


def print_facts(facts: Mapping[str, object]) -> None:
    """Names and values, one per line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(Text(plain(name)), Text(_cell(value)))
    console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, float) or value is None:
        return format_number(value)
    return plain(value)


def image_lines(pixels: Float64Array, side: int) -> list[str]:
    """A grey image (side * side,) in [0, 1] as lines of block characters, two per pixel, one line per pixel row."""
    levels = np.clip(np.round(pixels * (len(SHADES) - 1)), 0, len(SHADES) - 1).astype(int).reshape(side, side)
    return ["".join(SHADES[level] * 2 for level in row) for row in levels.tolist()]


def print_image(pixels: Float64Array, side: int) -> None:
    """One image in a frame."""
    for line in _framed(image_lines(pixels, side)):
        sys.stdout.write(line + "\n")


def print_counterexample(found: Counterexample) -> None:
    """Clean and perturbed image side by side, with their classes by exact arithmetic, and what it took."""
    clean, perturbed = (_framed(image_lines(x, found.side)) for x in (found.clean, found.perturbed))
    width = len(clean[0])
    lines = [
        f"A counterexample: {plain(found.instance)}, found by {found.solver} in {format_number(found.seconds)} s",
        f"{f'clean: class {found.clean_class}':<{width}}   perturbed: class {found.perturbed_class}",
        *(f"{left}   {right}" for left, right in zip(clean, perturbed, strict=True)),
        f"y_{found.target} - y_{found.source} = {found.value:.6g} > 0 on the dense network, in exact arithmetic; "
        f"L1 distance {found.distance:.4g}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _framed(lines: list[str]) -> list[str]:
    rule = "─" * len(lines[0])
    return [f"┌{rule}┐", *(f"│{line}│" for line in lines), f"└{rule}┘"]


def rounded(document: Any) -> Any:
    """Dataclass dictionaries with non-finite floats as null, for JSON."""
    if isinstance(document, dict):
        return {key: rounded(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [rounded(value) for value in document]
    if isinstance(document, float) and not np.isfinite(document):
        return None
    return document
