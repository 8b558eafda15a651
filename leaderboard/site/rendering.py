"""Filling in templates, with numbers, missing values and text from a ledger. The only module that uses jinja2."""

from __future__ import annotations

import re
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vnnbench.common.text import plain
from vnnbench.leaderboard.ranking.columns import FLIP
from vnnbench.leaderboard.site.heads import WORDS
from vnnbench.leaderboard.site.run_tables import network_text
from vnnbench.leaderboard.text import NONE, count, format_number, format_percent, with_minus


def _shown(value: object) -> object:
    """Return the value that a template shows: a dash for None, and text with its control characters escaped."""
    if value is None:
        return NONE
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def environment() -> Environment:
    """Return the environment of the templates, with their filters and globals. Everything is escaped."""
    made = Environment(
        loader=PackageLoader("vnnbench.leaderboard.site"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_shown,
    )  # fmt: skip
    made.filters.update(
        number=_number,
        codes=_codes,
        percent=format_percent,
        exact=_exact,
        mebibytes=mebibytes,
        bytes=_bytes,
        count=count,
        fragment=_fragment,
    )
    made.globals.update(words=WORDS, network_text=network_text, dash=NONE, flip=FLIP)
    return made


def _number(value: float | None) -> str:
    return with_minus(format_number(value))


def _exact(value: float | None) -> str:
    """Return a number with five decimals, or with five digits where decimals would hide it."""
    if value is None:
        return NONE
    return with_minus(f"{value:.5f}" if value == 0 or 1e-3 <= abs(value) < 1e7 else f"{value:.4e}")


def _codes(text: str) -> Markup:
    """Return escaped text, in which words between backticks are code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(Markup.escape(plain(text)))))  # noqa: S704 (escaped)


def mebibytes(value: float | None) -> str:
    return NONE if value is None else f"{value / 2**20:.0f} MiB"


def _bytes(value: int) -> str:
    """Return a size in kB or, where it is larger, in MB or GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value / 1e3:.1f} kB"


def _fragment(run: str) -> str:
    return quote(f"run-{run}", safe="")
