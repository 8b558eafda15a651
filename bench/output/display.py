"""Printing on stdout: tables with rich, images in block characters, JSON.

Names from files can contain anything: they are printed as plain text, never as markup.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from rich import box
from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from vnnbench.common.text import plain
from vnnbench.instances.arrays import Float64Array
from vnnbench.judging.counterexample import Counterexample
from vnnbench.leaderboard.serialization import json_text
from vnnbench.leaderboard.tables.render import PLAIN_WIDTH
from vnnbench.leaderboard.text import count, format_number

SHADES = " ░▒▓█"
_LEFT_OUT_NAMED, _LEFT_OUT_LINES = 2, 5
_ANY_WIDTH = 100_000
"""More columns than the widest table has."""


def print_json(document: object) -> None:
    """Print one JSON document; None becomes null."""
    sys.stdout.write(json_text(document))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], folded: str | None = None) -> None:
    """Print a table with numbers and percentages aligned to the right and None as a dash.

    folded: the only column that is broken into several lines where the table is too wide for a terminal; elsewhere the
    table is as wide as it needs, so that other programs find whole names. None: any column is broken, everywhere.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    cells = [list(row) for row in rows]
    for position, column in enumerate(columns):
        numeric = all(_is_number(row[position]) for row in cells)
        keeps = folded is not None and column != folded
        table.add_column(column, justify="right" if numeric else "left", overflow="fold", no_wrap=keeps)
    for row in cells:
        table.add_row(*(Text(_rounded(value)) for value in row))
    _print(table, PLAIN_WIDTH if folded is None else _ANY_WIDTH)


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, int | float) or (isinstance(value, str) and value.endswith("%"))


def terminal_width() -> int | None:
    """Return the columns of the terminal that stdout is; None where it is not one."""
    return Console().width if sys.stdout.isatty() else None


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, one per line; numbers with all their digits."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(Text(plain(name)), Text("–" if value is None else plain(value)))
    _print(table)


def print_text(text: str) -> None:
    """Print one paragraph, wrapped."""
    _print(Text(plain(text)))


def print_sections(text: str, most: int, rest: str) -> None:
    """Print the first sections of a markdown text that fit in `most` lines; sections begin with "## ".

    The last lines name what is left out, and end with the sentence `rest`.
    """
    width = terminal_width() or PLAIN_WIDTH
    head, *sections = (part.strip() for part in f"\n{text}".split("\n## "))
    shown, left = [head], most - _height(head, width) - _LEFT_OUT_LINES
    while sections and _height(f"## {sections[0]}", width) <= left:
        shown.append(f"## {sections.pop(0)}")
        left -= _height(shown[-1], width)
    _print(Group(*(Markdown(part, hyperlinks=False) for part in shown)))
    if sections:
        titles = [section.partition("\n")[0] for section in sections[:_LEFT_OUT_NAMED]]
        titles += [count(len(sections) - len(titles), "more section")] if len(sections) > len(titles) else []
        print_text(f"Not shown: {'; '.join(titles)}. {rest}")


def _height(text: str, width: int) -> int:
    return len(Console(width=width, file=io.StringIO()).render_lines(Markdown(text, hyperlinks=False)))


def _print(what: RenderableType, plain_width: int = PLAIN_WIDTH) -> None:
    """Print on stdout: as wide as the terminal and in colour if stdout is one, else in at most `plain_width` columns
    without colour."""
    if sys.stdout.isatty():
        Console().print(what)
        return
    text = io.StringIO()
    Console(file=text, width=plain_width, force_terminal=False, no_color=True).print(what)
    sys.stdout.writelines(line.rstrip() + "\n" for line in text.getvalue().splitlines())


def _rounded(value: object) -> str:
    if isinstance(value, float) or value is None:
        return format_number(value)
    return plain(value)


def image_lines(pixels: Float64Array, side: int) -> list[str]:
    """Return a grey image (side * side,) in [0, 1] as lines of block characters: two per pixel, one line per row."""
    levels = np.clip(np.round(pixels * (len(SHADES) - 1)), 0, len(SHADES) - 1).astype(int).reshape(side, side)
    return ["".join(SHADES[level] * 2 for level in row) for row in levels.tolist()]


def print_image(pixels: Float64Array, side: int) -> None:
    """Print one image in a frame."""
    for line in _framed(image_lines(pixels, side)):
        sys.stdout.write(line + "\n")


def print_counterexample(found: Counterexample) -> None:
    """Print the clean and the perturbed image side by side, their classes by exact arithmetic, the solver and its
    seconds, and the distance between the images."""
    clean, perturbed = (_framed(image_lines(x, found.side)) for x in (found.clean, found.perturbed))
    width = len(clean[0])
    lines = [
        f"A counterexample, found by {found.solver} in {format_number(found.seconds)} s on",
        plain(found.instance),
        f"{f'clean: class {found.clean_class}':<{width}}   perturbed: class {found.perturbed_class}",
        *(f"{left}   {right}" for left, right in zip(clean, perturbed, strict=True)),
        f"{found.norm} distance {found.distance:.4g}; in exact arithmetic on the dense network,",
        f"y_{found.target} - y_{found.source} = {found.value:.6g} > 0",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _framed(lines: list[str]) -> list[str]:
    rule = "─" * len(lines[0])
    return [f"┌{rule}┐", *(f"│{line}│" for line in lines), f"└{rule}┘"]
