"""Readers, colour-blind ones too, can distinguish settings in every plot and legend, in both themes."""

from __future__ import annotations

import re
from importlib import resources
from itertools import combinations

import numpy as np
import pytest

from vnnbench.leaderboard.site.rendering import environment
from vnnbench.leaderboard.site.styles import COLOURS, look_of
from vnnbench.leaderboard.site.surrogate_tables import HEAT_LEVELS

STYLE = resources.files("vnnbench.leaderboard.site").joinpath("assets", "site.css").read_text(encoding="utf-8")
LIGHT, DARK, DARK_CHOSEN = range(3)

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def colours(name: str) -> list[np.ndarray]:
    """Return a variable of the style sheet in linear RGB: light, dark by the system, dark as chosen."""
    found = re.findall(rf"--{name}: #([0-9a-f]{{6}});", STYLE)
    return [linear(np.array([int(text[place : place + 2], 16) for place in (0, 2, 4)]) / 255) for text in found]


def linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """Return the contrast of two colours by WCAG 2: a ratio of relative luminances."""
    low, high = sorted(float(colour @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Return the colour in OKLab (B. Ottosson 2020), where distances are about as large as they look."""
    cones = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    ) @ np.clip(rgb, 0, 1)  # fmt: skip
    return np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    ) @ np.cbrt(cones)  # fmt: skip


def test_no_two_of_many_settings_look_alike():
    looks = [look_of(place) for place in range(64)]
    assert len({(look.colour, look.marker) for look in looks}) == 64
    assert len({(look.colour, look.dash) for look in looks[:32]}) == 32
    assert len(set(looks)) == 64
    assert len({look.colour for look in looks[:COLOURS]}) == len({look.marker for look in looks[:COLOURS]}) == COLOURS


def test_every_marker_and_dash_is_drawn_in_legends_too():
    swatch = environment().get_template("macros.html").module.swatch
    drawn = {str(swatch(look_of(place))) for place in range(32)}
    assert len(drawn) == 32
    for dash in {look_of(place).dash for place in range(32)} - {"solid"}:
        assert f".{dash} .stroke" in STYLE


@pytest.mark.parametrize("theme", [LIGHT, DARK, DARK_CHOSEN])
def test_the_colours_of_settings_stand_out_from_the_ground_and_from_each_other(theme):
    ground = colours("ground")[theme]
    own = [colours(f"s{number}")[theme] for number in range(COLOURS)]
    for number, colour in enumerate(own):
        assert contrast(colour, ground) >= 3, number
    for sight, seen in SIGHT.items():
        for one, other in combinations(range(COLOURS), 2):
            assert np.linalg.norm(oklab(seen @ own[one]) - oklab(seen @ own[other])) > 0.1, (sight, one, other)


def test_the_style_sheet_has_a_ground_for_every_level_of_a_heat_map():
    assert set(re.findall(r"\.heat-(\d+) \{ --heat", STYLE)) == {str(level) for level in range(HEAT_LEVELS + 1)}


@pytest.mark.parametrize("theme", [LIGHT, DARK, DARK_CHOSEN])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *((text, ground) for text in ("ink", "muted", "accent") for ground in ("ground", "raised")),
        ("ink", "more"), ("ink", "less"),  # the ends of the heat maps' grounds, which go from "raised" to these
        ("ink", "bad-ground"), ("bad", "ground"), ("bad", "bad-ground"), ("good", "ground"), ("good", "good-ground"),
        ("calm", "calm-ground"), ("muted", "calm-ground"),
    ],
)  # fmt: skip
def test_text_can_be_read(theme, text, ground):
    assert contrast(colours(text)[theme], colours(ground)[theme]) >= 4.5
