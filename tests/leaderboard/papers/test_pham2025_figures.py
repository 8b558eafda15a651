"""The drawn figures: valid files, every pair as one mark, the same bytes each time, and no text that breaks them."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from vnnbench.leaderboard.papers.pham2025 import build_sections, pairs_of
from vnnbench.leaderboard.papers.pham2025_figures import draw_scatter, shortest_decade

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "$\\frac{ \x1b[31m<b> \u202egnp 绿 $x$ {0} %s"


def draw(ledger, path):
    (section,) = build_sections(*pairs_of(ledger.runs()))
    for ending, data in draw_scatter(section, section.figures[0]).items():
        path.with_name(f"{path.name}.{ending}").write_bytes(data)
    return section


def marks(path, group):
    """Count the marks that an SVG has in the group of that name: references to a shape, or shapes of their own."""
    root = ElementTree.parse(path).getroot()  # noqa: S314 (written by this test)
    (found,) = [element for element in root.iter(f"{SVG}g") if element.get("id") == group]
    shapes = sum(1 for _ in found.iter(f"{SVG}path"))
    definitions = sum(1 for defs in found.iter(f"{SVG}defs") for _ in defs.iter(f"{SVG}path"))
    return sum(1 for _ in found.iter(f"{SVG}use")) + shapes - definitions


@pytest.fixture
def mixed(pairs):
    """At rate 0.5 there are three points and two squares, at 0.8 one point, at the others none."""
    for problem, dense, surrogate in (
        ("a", 10.0, 1.0), ("b", 2.0, 9.0), ("c", 0.02, 0.3), ("d", None, None), ("e", None, 50.0)
    ):  # fmt: skip
        pairs.dense(problem, dense)
        pairs.surrogate(problem, surrogate)
    pairs.surrogate("a", 3.0, rate=0.8)


def test_every_pair_is_one_mark_and_timeouts_are_squares(ledger, mixed, tmp_path):
    draw(ledger, tmp_path / "figure")
    svg = tmp_path / "figure.svg"
    counts = {name: marks(svg, name) for name in ("points-0-0.5", "squares-0-0.5", "points-0-0.8", "squares-0-0.8")}
    assert counts == {"points-0-0.5": 3, "squares-0-0.5": 2, "points-0-0.8": 1, "squares-0-0.8": 0}
    assert "points-0-0.3" not in svg.read_text()


def test_png_is_an_image_of_readable_size(ledger, mixed, tmp_path):
    draw(ledger, tmp_path / "figure")
    with Image.open(tmp_path / "figure.png") as image:
        assert image.format == "PNG"
        assert image.width > 1500
        assert np.asarray(image.convert("RGB")).std() > 5


def test_the_same_pairs_give_the_same_bytes(ledger, mixed, tmp_path):
    for name in ("first", "second"):
        draw(ledger, tmp_path / name)
    for ending in ("svg", "png"):
        assert (tmp_path / f"first.{ending}").read_bytes() == (tmp_path / f"second.{ending}").read_bytes()


def test_axes_start_at_the_decade_of_the_shortest_time(ledger, mixed, tmp_path):
    (section,) = build_sections(*pairs_of(ledger.runs()))
    assert shortest_decade(section) == pytest.approx(0.01)  # the shortest is 0.02 s


def test_axes_span_a_decade_at_least_and_no_time_is_too_short(ledger, pairs, tmp_path):
    pairs.dense("a", None)
    pairs.surrogate("a", None)
    assert shortest_decade(draw(ledger, tmp_path / "limits")) == pytest.approx(10.0)
    pairs.dense("b", 0.0)
    pairs.surrogate("b", 1e-9)
    assert shortest_decade(draw(ledger, tmp_path / "short")) == pytest.approx(0.001)
    assert marks(tmp_path / "short.svg", "points-0-0.5") == 1


def test_ledger_text_is_drawn_as_it_is(ledger, pairs, tmp_path):
    pairs.dense("a", 10.0, formulation=HOSTILE, solver=HOSTILE)
    pairs.surrogate("a", 1.0, formulation=HOSTILE, solver=HOSTILE)
    draw(ledger, tmp_path / "figure")  # no mathematics, no missing glyph, no control character
    ElementTree.parse(tmp_path / "figure.svg")  # noqa: S314 (written by this test)


def with_all_results(ledger, column, value):
    """Write a value into all results that no run leaves."""
    ledger.connection.execute("DROP TRIGGER results_no_update")
    ledger.connection.execute(f"UPDATE results SET {column} = ?", (value,))  # noqa: S608
    ledger.connection.commit()


def test_title_of_a_figure_is_short(ledger, pairs, tmp_path):
    """A title with a megabyte of options would take minutes to draw."""
    settings = json.dumps({"a": "\U0001f600" * 75_000})
    pairs.dense("a", 1.0)
    pairs.surrogate("a", 2.0)
    with_all_results(ledger, "settings", settings)
    draw(ledger, tmp_path / "figure")
    assert (tmp_path / "figure.svg").stat().st_size < 1_000_000


@pytest.mark.parametrize("limit", [0.0, 1e-9, -1.0, 1e308, float("inf")])
def test_limit_that_no_run_has_is_drawn(ledger, pairs, tmp_path, limit):
    pairs.dense("a", 1.0)
    pairs.surrogate("a", 0.5)
    with_all_results(ledger, "time_limit_seconds", limit)
    draw(ledger, tmp_path / "figure")
