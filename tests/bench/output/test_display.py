"""Printing on stdout: the sections of a long markdown text that fit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vnnbench.output import display


def section(name: str, lines: int) -> str:
    return f"## {name}\n\n" + "\n\n".join(["a line"] * lines)


def test_sections_are_printed_while_they_fit(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n\n".join(["# Title\n\nThe head.", section("One", 3), section("Two", 50), section("Three", 1)])
    display.print_sections(text, 40, "x.md has the rest.")
    printed = capsys.readouterr().out
    assert printed.count("a line") == 3
    assert "The head." in printed
    assert printed.splitlines()[-1] == "Not shown: Two; Three. x.md has the rest."


def test_a_text_that_fits_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    display.print_sections(f"{section('One', 3)}\n\n{section('Two', 2)}", 80, "x.md has the rest.")
    printed = capsys.readouterr().out
    assert printed.count("a line") == 5
    assert "x.md" not in printed


def test_markup_and_links_stay_text(capsys: pytest.CaptureFixture[str]) -> None:
    display.print_sections("[red]no markup[/red] and [a link](https://example.org)", 80, "")
    assert capsys.readouterr().out.strip() == "[red]no markup[/red] and a link (https://example.org)"


@settings(max_examples=40, deadline=None)
@given(heights=st.lists(st.integers(1, 60), max_size=9), width=st.integers(1, 30))
def test_never_more_lines_than_asked_if_the_head_is_short(heights: list[int], width: int) -> None:
    sections = [section(f"Section {'long ' * width}{place}", height) for place, height in enumerate(heights)]
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("sys.stdout.writelines", lines.extend, raising=False)
        display.print_sections("\n\n".join(["The head.", *sections]), 80, "x.md has the rest.")
    assert len(lines) <= 80
