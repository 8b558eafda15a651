import numpy as np
import pytest

from vnnbench.instances.formulations.milp import MIN_COEFFICIENT, MilpBuilder
from vnnbench.instances.formulations.mps import mps_text


def two_columns():
    builder = MilpBuilder("small", ["a comment"])
    builder.add_column("x", 0.0, 2.0)
    builder.add_column("d", 0.0, 1.0, integer=True)
    return builder


def small_model():
    """The model min -x + 3 d + 1/2: cap: x + d <= 2, low: x >= 1/2, tie: x - 2 d = 0; 0 <= x <= 2, d binary."""
    builder = two_columns()
    builder.set_objective(0, -1.0)
    builder.set_objective(1, 3.0)
    builder.offset = 0.5
    builder.add_row("cap", "L", 2.0, [0, 1], [1.0, 1.0])
    builder.add_row("low", "G", 0.5, [0, 1], [1.0, 0.0])
    builder.add_row("tie", "E", 0.0, [1, 0], [-2.0, 1.0])
    return builder.build()


def test_the_model_is_what_was_added():
    model = small_model()
    assert (model.n_columns, model.n_rows, model.n_nonzeros) == (2, 3, 5)
    assert (model.column_names, model.row_names, model.senses) == (("x", "d"), ("cap", "low", "tie"), "LGE")
    assert model.integer.tolist() == [False, True]
    assert model.indptr.tolist() == [0, 2, 3, 5]  # the zero of `low` left no trace
    assert model.indices.tolist() == [0, 1, 0, 1, 0]
    assert model.column_index() == {"x": 0, "d": 1}


def test_objective_value_includes_the_offset():
    assert small_model().objective_value(np.array([2.0, 1.0])) == 1.5


@pytest.mark.parametrize(
    ("columns", "violation"),
    [
        ([2.0, 1.0], 1.0),  # cap: 3 <= 2
        ([1.0, 0.5], 0.5),  # d is not an integer
        ([0.0, 0.0], 0.5),  # low
        ([0.5, 0.0], 0.5),  # tie from above
        ([0.5, 1.0], 1.5),  # tie from below
        ([4.0, 2.0], 4.0),  # cap, beyond bounds by 2 and 1
        ([-1.0, 0.0], 1.5),  # low, beyond its bound by 1
    ],
)
def test_violation_is_the_largest_of_rows_bounds_and_integrality(columns, violation):
    assert small_model().violation(np.array(columns)) == violation


def test_a_feasible_point_has_no_violation():
    builder = two_columns()
    builder.add_row("cap", "L", 2.0, [0, 1], [1.0, 1.0])
    assert builder.build().violation(np.array([1.0, 1.0])) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_violate_without_bound(bad):
    assert small_model().violation(np.array([bad, 1.0])) == np.inf


@pytest.mark.parametrize("name", ["", "a b", "ü", "x" * 256, "objective", "x", "a\n", "\t"])
def test_names_that_readers_misread_are_refused(name):
    builder = two_columns()
    builder.add_row("x", "L", 1.0, [0], [1.0])
    with pytest.raises(ValueError, match="unique name"):
        builder.add_column(name, 0.0, 1.0)
    with pytest.raises(ValueError, match="unique name"):
        builder.add_row(name, "L", 1.0, [0], [1.0])


@pytest.mark.parametrize(("name", "comments"), [("a b", []), ("", []), ("ü", []), ("a", ["one\ntwo"]), ("a", ["é"])])
def test_model_name_and_comments_are_lines_of_ascii(name, comments):
    with pytest.raises(ValueError, match="ASCII"):
        MilpBuilder(name, comments)


@pytest.mark.parametrize(
    ("sense", "rhs", "values"),
    [("N", 0.0, [1.0]), ("", 0.0, [1.0]), ("L", np.nan, [1.0]), ("L", np.inf, [1.0]), ("L", 0.0, [np.nan])],
)
def test_malformed_rows_are_refused(sense, rhs, values):
    with pytest.raises(ValueError, match="row r"):
        two_columns().add_row("r", sense, rhs, [0], values)


def test_numbers_that_readers_take_for_zero_are_refused():
    builder = two_columns()
    for value in (MIN_COEFFICIENT, MIN_COEFFICIENT / 2, -5e-324):
        with pytest.raises(ValueError, match="row r"):
            builder.add_row("r", "L", 0.0, [0], [value])
        with pytest.raises(ValueError, match="row r"):
            builder.add_row("r", "L", value, [0], [1.0])
        with pytest.raises(ValueError, match="readers would drop"):
            builder.set_objective(0, value)
        with pytest.raises(ValueError, match="take the bounds"):
            builder.add_column("y", min(value, 0.0), max(value, 0.0))
    builder.add_row("r", "L", -2 * MIN_COEFFICIENT, [0], [2 * MIN_COEFFICIENT])


@pytest.mark.parametrize("domain", [(1.0, 0.0), (np.nan, 1.0), (0.0, np.nan), (np.inf, np.inf), (-np.inf, -np.inf)])
def test_empty_domains_are_refused(domain):
    with pytest.raises(ValueError, match="empty domain"):
        two_columns().add_column("y", *domain)


@pytest.mark.parametrize("domain", [(0.0, np.inf), (-np.inf, 0.0)])
def test_integers_without_finite_bounds_are_refused(domain):
    with pytest.raises(ValueError, match="readers disagree"):
        two_columns().add_column("y", *domain, integer=True)


def test_a_column_that_occurs_nowhere_is_refused():
    builder = two_columns()
    builder.add_row("r", "L", 1.0, [0], [1.0])
    with pytest.raises(ValueError, match="occurs neither in a row"):
        builder.build()
    builder.set_objective(1, 1.0)
    assert builder.build().n_columns == 2


# -- columns and rows from arrays --------------------------------------------------------------------------------------


def test_columns_and_rows_from_arrays_are_the_same_model():
    builder = MilpBuilder("small", ["a comment"])
    places = builder.add_columns(["x", "d"], 0.0, [2.0, 1.0], integer=[False, True], objective=[-1.0, 3.0])
    assert places.tolist() == [0, 1]
    builder.offset = 0.5
    builder.add_rows(
        ["cap", "low", "tie"], "LGE", [2.0, 0.5, 0.0], [0, 2, 4, 6], [0, 1, 0, 1, 1, 0], [1.0, 1.0, 1.0, 0.0, -2.0, 1.0]
    )
    assert mps_text(builder.build()) == mps_text(small_model())
    assert builder.build().indptr.tolist() == [0, 2, 3, 5]  # the zero of `low` left no trace


def test_arrays_follow_single_columns_and_rows():
    builder = two_columns()
    builder.add_row("cap", "L", 2.0, [0, 1], [1.0, 1.0])
    assert builder.add_columns(["y", "z"], -1.0, np.inf).tolist() == [2, 3]
    assert builder.add_column("last", 0.0, 3.0) == 4
    builder.add_rows(["empty", "sum"], ["L", "E"], 1.0, [0, 0, 3], [2, 3, 4], np.ones(3))
    builder.add_row("end", "G", 0.0, [4], [1.0])
    model = builder.build()
    assert model.column_names == ("x", "d", "y", "z", "last")
    assert (model.row_names, model.senses, model.rhs.tolist()) == (("cap", "empty", "sum", "end"), "LLEG", [2, 1, 1, 0])
    assert (model.lower.tolist(), model.upper.tolist()) == ([0, 0, -1, -1, 0], [2, 1, np.inf, np.inf, 3])
    assert (model.indptr.tolist(), model.indices.tolist()) == ([0, 2, 2, 5, 6], [0, 1, 2, 3, 4, 4])
    assert builder.upper_bounds([4, 1]).tolist() == [3.0, 1.0]


def test_the_builder_keeps_its_own_numbers():
    builder, values = two_columns(), np.ones(2)
    builder.add_rows(["r"], "L", 1.0, [0, 2], [0, 1], values)
    values[:] = 7.0
    assert builder.build().data.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["y", "x"]}, "'x' is not a unique name"),
        ({"names": ["y", "y"]}, "'y' is not a unique name"),
        ({"names": ["y", "a b"]}, "'a b' is not a unique name"),
        ({"lower": [0.0, 2.0]}, r"column z: empty domain \[2\.0, 1\.0\]"),
        ({"upper": np.nan}, r"column y: empty domain \[0\.0, nan\]"),
        ({"upper": [1.0, np.inf], "integer": True}, "integer column z: readers disagree"),
        ({"lower": [0.0, -MIN_COEFFICIENT]}, "column z: readers would take the bounds"),
        ({"objective": [0.0, MIN_COEFFICIENT]}, "column 3: readers would drop the objective coefficient 1e-09"),
        ({"objective": np.inf}, "column 2: readers would drop the objective coefficient inf"),
        ({"lower": [0.0, 0.0, 0.0]}, "shape"),
    ],
)
def test_a_bad_column_of_an_array_is_named_and_none_is_added(change, message):
    builder = two_columns()
    good = {"names": ["y", "z"], "lower": 0.0, "upper": 1.0, "integer": False, "objective": 0.0}
    with pytest.raises(ValueError, match=message):
        builder.add_columns(**(good | change))
    assert builder.add_columns(**good).tolist() == [2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["r", "r"]}, "'r' is not a unique name"),
        ({"names": ["r", "objective"]}, "'objective' is not a unique name"),
        ({"senses": "LN"}, "row s: sense 'N' is not L, G or E"),
        ({"senses": "LGE"}, "longer"),
        ({"rhs": [0.0, np.nan]}, "row s: readers would not keep the right-hand side nan"),
        ({"rhs": [MIN_COEFFICIENT, 0.0]}, "row r: readers would not keep the right-hand side 1e-09"),
        ({"values": [1.0, 0.0, np.inf]}, "row s: a coefficient is not finite"),
        ({"values": [0.0, MIN_COEFFICIENT, 1.0]}, "row r: a coefficient is not finite, or so small"),
        ({"indptr": [0, 2, 4]}, "indptr does not divide"),
        ({"indptr": [0, 4, 3]}, "indptr does not divide"),
        ({"indptr": [1, 2, 3]}, "indptr does not divide"),
        ({"indptr": [0, 3]}, "indptr does not divide"),
        ({"indices": [0, 1]}, "indptr does not divide"),
    ],
)
def test_a_bad_row_of_an_array_is_named_and_none_is_added(change, message):
    builder = two_columns()
    good = {
        "names": ["r", "s"],
        "senses": "LG",
        "rhs": 0.0,
        "indptr": [0, 2, 3],
        "indices": [0, 1, 0],
        "values": [1.0, 2.0, 3.0],
    }
    with pytest.raises(ValueError, match=message):
        builder.add_rows(**(good | change))
    builder.add_rows(**good)
    assert builder.build().indptr.tolist() == [0, 2, 3]
