"""Inputs as PNG files: what a data set's image looks like, and how another differs from it. No time is in them."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from instances.network import Float64Array

BRIGHTER, DARKER = (213, 94, 0), (0, 114, 178)
"""Distinct to colour-blind readers too, and on light and dark ground."""


def picture_png(centre: Float64Array, side: int) -> bytes:
    """An input (side * side,) in [0, 1] as a grey PNG of side x side pixels; what lies outside counts as the border."""
    return _png(np.rint(np.clip(centre, 0.0, 1.0) * 255).astype(np.uint8).reshape(side, side))


def difference_png(clean: Float64Array, perturbed: Float64Array, side: int) -> bytes:
    """What was added (`BRIGHTER`) and taken away (`DARKER`): the larger the step, the more opaque; none is clear."""
    steps = (perturbed - clean).reshape(side, side)
    largest = np.abs(steps).max(initial=0.0)
    shares = np.abs(steps) / largest if largest else np.zeros_like(steps)
    pixels = np.empty((side, side, 4), dtype=np.uint8)
    pixels[..., :3] = np.where(steps[..., None] > 0, BRIGHTER, DARKER)
    pixels[..., 3] = np.ceil(shares * 255)
    return _png(pixels)


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
