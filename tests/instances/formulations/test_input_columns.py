"""Names of input columns: what they mean, and which input is read from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.properties import highest, make_box
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.families import problem_of
from vnnbench.instances.formulations.input_columns import InputColumn, parse_input_column

columns = st.builds(InputColumn, st.sampled_from("xpm"), st.integers(0, 10**6), st.none() | st.integers(-999, 999))


@given(columns)
def test_a_name_reads_back(column):
    assert parse_input_column(column.name) == column


@pytest.mark.parametrize(
    "name",
    ["x", "x_", "x_-1", "x_01", "h_1_2", "x_1_2", "x_1_e3", "x_1_d", "x_1_d-3", "p_1_u03", "px_1", "x_1 ", "a_0"],
)
def test_other_names_are_not_input_columns(name):
    assert parse_input_column(name) is None


def test_an_input_decodes_from_steps_in_units():
    problem = problem_of(highest(make_box([0.0, 0.0, 0.0, 8.0], [0.5, 0.5, 1.0, 16.0])))
    decode = problem.decoder(["m_1_d3", "x_0_d2", "h_1_0", "p_1_d3", "x_3_u1", "x_2"])
    # The centre is (1/4, 1/4, 1/2, 12).
    np.testing.assert_array_equal(decode(np.array([3.0, -0.5, 9.0, 4.0, 1.5, 0.75])), [0.125, 0.375, 0.75, 15.0])


def test_pixels_beyond_the_input_are_refused():
    problem = problem_of(highest(make_box([0.0], [1.0])))
    with pytest.raises(PropertyError, match="none of the input columns"):
        problem.decoder(["x_1", "x_1_d3"])
