"""PNG pictures of inputs, and of the difference between two. They hold no time, so equal pictures are equal bytes."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.limits import MAX_PICTURE_SIDE

BRIGHTER, DARKER = (213, 94, 0), (0, 114, 178)
"""Two colours that colour-blind readers can distinguish too, on light and dark backgrounds."""


def picture_png(centre: Float64Array, side: int) -> bytes:
    """Return an input (side * side,) as a grey PNG of side x side pixels; values outside [0, 1] are clipped."""
    return _png(np.rint(np.clip(centre, 0.0, 1.0) * 255).astype(np.uint8).reshape(side, side))


def difference_png(clean: Float64Array, perturbed: Float64Array, side: int) -> bytes:
    """Return a PNG of the changes between two inputs: `BRIGHTER` or `DARKER`, more opaque for a larger change.

    Unchanged pixels are transparent.
    """
    steps = (perturbed - clean).reshape(side, side)
    largest = np.abs(steps).max(initial=0.0)
    shares = np.abs(steps) / largest if largest else np.zeros_like(steps)
    pixels = np.empty((side, side, 4), dtype=np.uint8)
    pixels[..., :3] = np.where(steps[..., None] > 0, BRIGHTER, DARKER)
    pixels[..., 3] = np.ceil(shares * 255)
    return _png(pixels)


def grey_of(data: bytes, side: int, source: str) -> Float64Array:
    """Return the input (side * side,) in [0, 1] that `picture_png` wrote, after checking the header before the pixels.

    Raises `LibraryError`: the bytes of `source` are not a grey PNG of side x side pixels.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings(action="error"), Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.mode == "L" and image.size == (side, side) and side <= MAX_PICTURE_SIDE:
                return np.asarray(image, dtype=np.float64).ravel() / 255
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError) as error:
        raise LibraryError(f"{source}: is not a PNG file ({type(error).__name__})") from error
    raise LibraryError(
        f"{source}: is not a grey picture of {side} x {side} pixels, with sides of at most {MAX_PICTURE_SIDE}"
    )


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
