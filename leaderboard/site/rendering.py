"""How templates are filled in: what becomes of numbers, of none, of text from a ledger. The only place of jinja2."""

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
    """What becomes of every expression in a template: none is a dash, text from a ledger has no control characters."""
    if value is None:
        return NONE
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def environment() -> Environment:
    """The templates, with the filters and globals that they use. Everything is escaped."""
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
    """Five decimals, or five digits of what these would hide."""
    if value is None:
        return NONE
    return with_minus(f"{value:.5f}" if value == 0 or 1e-3 <= abs(value) < 1e7 else f"{value:.4e}")


def _codes(text: str) -> Markup:
    """Escaped, with what stands between backticks as code."""
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
