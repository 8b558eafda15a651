"""Texts in figures."""

from __future__ import annotations

import pytest

from vnnbench.common.text import CUT
from vnnbench.leaderboard.papers.figure_style import printable


@pytest.mark.parametrize("text", ["a" * 300, "\u65e5\x1b[31m", f"a{CUT}b"])
def test_a_printable_text_has_letters_of_the_font_and_stays_as_it_is(text):
    shown = printable(text)
    assert shown.isprintable() and set(shown) <= {*map(chr, range(256)), CUT}
    assert printable(shown) == shown and "\\u2026" not in shown
