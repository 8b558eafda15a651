"""The names of the columns that hold the input: a solution is decoded from names and centre alone.

    x_i              x_i itself
    p_i, m_i         steps up and down: x_i = centre_i + p_i - m_i
    x_i_dK, x_i_uK   x_i = centre_i + unit * column, of either sign
    p_i_dK, m_i_dK   the same steps, counted in units: x_i = centre_i + unit * (p - m); p_i_uK, m_i_uK likewise

The unit is 2**-K for d (down) and 2**K for u (up). A pixel without any column stays at its centre.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"([xpm])_(0|[1-9]\d*)(?:_([du])(0|[1-9]\d{0,3}))?")
_SIGNS = {"x": 1, "p": 1, "m": -1}


@dataclass(frozen=True, slots=True)
class InputColumn:
    """One column of the input. exponent: the unit is 2**exponent; None for plain names, whose unit is 1."""

    letter: str
    pixel: int
    exponent: int | None = None

    @property
    def name(self) -> str:
        """The name of the column in a file."""
        if self.exponent is None:
            return f"{self.letter}_{self.pixel}"
        return f"{self.letter}_{self.pixel}_{'u' if self.exponent > 0 else 'd'}{abs(self.exponent)}"

    @property
    def from_centre(self) -> bool:
        """Return whether the column is a step from the centre; else it is the input itself."""
        return self.letter != "x" or self.exponent is not None

    @property
    def sign(self) -> int:
        """The sign of the step: -1 for a step down, else 1."""
        return _SIGNS[self.letter]

    @property
    def unit(self) -> float:
        """The exact absolute change of the input when the column grows by 1."""
        return 2.0 ** (self.exponent or 0)


def parse_input_column(name: str) -> InputColumn | None:
    """Return the input column of this name; None for other names."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    letter, pixel, direction, digits = found.groups()
    exponent = None if direction is None else int(digits) * (1 if direction == "u" else -1)
    return InputColumn(letter, int(pixel), exponent)
