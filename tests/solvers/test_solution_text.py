"""Solution files of programs, line by line."""

from __future__ import annotations

import pytest

from solvers.solution_text import SolutionFormat, column_values

NAMES = ["x_1", "y", "r", "z"]

CBC = """Optimal - objective value -2.75025000
      0 x_1                  1.5                       0
**      2 r              1e-09              -0.5
      7 elsewhere            3                       0
"""
GLPK_MIP = "c Rows: 2\ns mip 2 4 o -0.5\ni 1 9\ni 2 9\nj 1 1.5\nj 2 0\nj 3 1e-09\nj 4 0\ne o f\n"
GLPK_LP = "s bas 2 4 f f -0.5\ni 1 u 9 -1\ni 2 b 9 0\nj 1 b 1.5 0\nj 2 l 0 1\nj 3 b 1e-09 0\nj 4 l 0 1\ne o f\n"
WORDS = "# by hand\nx_1 1.5\nobjective 7\nr   1e-09 and more\n\nx_2 8\n"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (SolutionFormat.CBC, CBC),
        (SolutionFormat.GLPK, GLPK_MIP),
        (SolutionFormat.GLPK, GLPK_LP),
        (SolutionFormat.NAMES, WORDS),
    ],
)
def test_values_are_by_name_and_what_is_missing_is_zero(kind, text):
    assert column_values(text, kind, NAMES).tolist() == [1.5, 0.0, 1e-9, 0.0]


def test_number_beyond_the_columns_is_no_column():
    assert column_values("j 0 1\nj 5 1\nj 4 2\nj x 3\n", SolutionFormat.GLPK, NAMES).tolist() == [0, 0, 0, 2]


@pytest.mark.parametrize("word", ["inf", "nan", "1e999", "1,5", "--"])
def test_value_that_is_no_finite_number_is_an_error(word):
    with pytest.raises(ValueError, match=f"column y is '{word}' in the solution file, no finite number"):
        column_values(f"x_1 0\ny {word}\n", SolutionFormat.NAMES, NAMES)


def test_same_column_twice_needs_the_same_value():
    assert column_values("y 2\ny 2.0\n", SolutionFormat.NAMES, NAMES).tolist() == [0, 2, 0, 0]
    with pytest.raises(ValueError, match="column y has two values"):
        column_values("y 2\ny 3\n", SolutionFormat.NAMES, NAMES)
