"""Inputs as PNG files: what a data set's image looks like, and how another differs from it. No time is in them."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.limits import MAX_PICTURE_SIDE

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


def grey_of(data: bytes, side: int, source: str) -> Float64Array:
    """What `picture_png` wrote, (side * side,) in [0, 1]; looks at the header before the pixels. Raises `LibraryError`:
    the bytes of `source` are no grey PNG of side x side pixels."""
    from PIL import Image

    try:
        with warnings.catch_warnings(action="error"), Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.mode == "L" and image.size == (side, side) and side <= MAX_PICTURE_SIDE:
                return np.asarray(image, dtype=np.float64).ravel() / 255
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError) as error:
        raise LibraryError(f"{source}: is not a PNG file ({type(error).__name__})") from error
    raise LibraryError(
        f"{source}: is not a grey picture of {side} x {side} pixels, of which {MAX_PICTURE_SIDE} are read"
    )


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
