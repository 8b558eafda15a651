"""Pictures of decision planes: valid files, the same bytes each time, and no text or number that breaks them."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vnnbench.leaderboard.papers.rosenhahn2023_figures import COLOURS, MARKERS, DecisionPlane, Samples, draw_plane

HOSTILE = "_$\\frac{ \x1b[31m<b> \u202egnp 绿 $x$ {0} %s"


@pytest.fixture
def plane() -> DecisionPlane:
    """The left half is class 0, the right one class 1; a sample of each in both sets, and one line between."""
    samples = Samples(np.array([[0.25, 0.5], [0.75, 0.5]]), np.array([0, 1]))
    regions = np.repeat([[0, 1]], 2, axis=0)
    return DecisionPlane(("x", "y"), ("rest", "corner"), samples, samples, 1.0, regions, np.array([[1.0, 0.0, 0.5]]))


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=int)


def test_the_same_plane_gives_the_same_bytes(plane):
    assert draw_plane(plane) == draw_plane(plane)
    assert Image.open(io.BytesIO(draw_plane(plane))).size == (896, 704)


def test_a_region_has_the_colour_of_its_class(plane):
    ground = [tuple(pixel) for pixel in pixels(draw_plane(plane)).reshape(-1, 3)]
    for colour in COLOURS[:2]:
        shade = [round(255 - 0.22 * (255 - int(colour[at : at + 2], 16))) for at in (1, 3, 5)]
        share = np.mean([max(abs(a - b) for a, b in zip(pixel, shade, strict=True)) <= 2 for pixel in ground])
        assert 0.15 < share < 0.4


@pytest.mark.parametrize("what", ["lines", "regions", "training"])
def test_lines_regions_and_samples_are_drawn(plane, what):
    other = {
        "lines": np.empty((0, 3)),
        "regions": 1 - plane.regions,
        "training": Samples(np.empty((0, 2)), np.empty(0, np.int64)),
    }
    assert draw_plane(replace(plane, **{what: other[what]})) != draw_plane(plane)


def test_lines_far_outside_and_steep_ones_leave_the_square_as_it_is(plane):
    far = replace(plane, lines=np.array([[1e-300, 1.0, 1e12], [1.0, 1e-300, -1e12]]))
    assert draw_plane(far) == draw_plane(replace(plane, lines=np.empty((0, 3))))


def test_hostile_names_are_letters(plane):
    assert draw_plane(replace(plane, axes=(HOSTILE, HOSTILE), classes=(HOSTILE, HOSTILE)))


def test_many_classes_are_drawn_and_some_of_them_named(plane):
    names = tuple(f"c{k}" for k in range(100))
    samples = Samples(np.full((100, 2), 0.5), np.arange(100))
    regions = np.arange(100).reshape(10, 10)
    assert draw_plane(replace(plane, classes=names, training=samples, test=samples, regions=regions))
    assert len({(COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]) for k in range(100)}) == 100
