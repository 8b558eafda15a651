"""What the formulas of a file ask: input sets, parts, clauses and strictness."""

import operator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.property import LinearProperty, VerifyProperty
from vnnbench.instances.properties.vnnlib_reader import parse_vnnlib

DECLARED = "".join(f"(declare-const {name} Real)" for name in ("X_0", "X_1", "Y_0", "Y_1", "Y_2"))
BOX = "(assert (>= X_0 0)) (assert (<= X_0 1)) (assert (>= X_1 0)) (assert (<= X_1 1))"
GOAL = "(assert (>= Y_1 Y_0))"


def query(text):
    return parse_vnnlib((DECLARED + text).encode(), "some.vnnlib")


def sets(parts):
    return [(part.input_set.lower.tolist(), part.input_set.upper.tolist()) for part in parts]


def holds(prop, *outputs):
    return prop.goal.holds([Fraction(y) for y in outputs])


# -- input sets


def test_a_disjunction_over_boxes_is_a_part_for_each_in_their_order():
    cases = """(assert (or (and (<= X_0 0.25) (>= Y_0 1.0)) (and (>= X_0 0.5) (<= X_0 0.75) (>= Y_1 2.0))
                           (and (<= X_0 0.25) (>= Y_2 3.0))))"""
    parts = query(BOX + cases).parts
    assert sets(parts) == [([0.0, 0.0], [0.25, 1.0]), ([0.5, 0.0], [0.75, 1.0])]
    # The cases of one box are one part: one of them is enough.
    assert [holds(parts[0], *y) for y in ((1, 0, 0), (0, 9, 3), (0, 9, 0))] == [True, True, False]
    assert [holds(parts[1], *y) for y in ((9, 2, 9), (9, 1, 9))] == [True, False]


def test_boxes_alone_may_be_a_disjunction_with_a_common_goal():
    boxes = "(assert (or (and (>= X_0 0) (<= X_0 0.25)) (and (>= X_0 0.5) (<= X_0 1))))"
    parts = query("(assert (>= X_1 0)) (assert (<= X_1 1))" + boxes + GOAL).parts
    assert sets(parts) == [([0.0, 0.0], [0.25, 1.0]), ([0.5, 0.0], [1.0, 1.0])]
    assert all(isinstance(part, VerifyProperty) and part.targets == (1,) for part in parts)
    with pytest.raises(PropertyError, match="asks about 2 input sets; one is expected"):
        _ = query("(assert (>= X_1 0)) (assert (<= X_1 1))" + boxes + GOAL).prop


def test_two_disjunctions_over_boxes_are_a_part_for_each_pair_that_differs():
    halves = "(assert (or (<= X_0 0.5) (>= X_0 0.5))) (assert (or (<= X_1 0.5) (<= X_1 1.5)))"
    parts = query(BOX + halves + GOAL).parts
    assert sets(parts) == [
        ([0.0, 0.0], [0.5, 0.5]),
        ([0.0, 0.0], [0.5, 1.0]),
        ([0.5, 0.0], [1.0, 0.5]),
        ([0.5, 0.0], [1.0, 1.0]),
    ]


def test_a_case_without_a_goal_of_its_own_has_the_common_one():
    parts = query(BOX + GOAL + "(assert (or (and (<= X_0 0.5) (>= Y_2 1)) (<= X_0 0.5) (<= X_0 0.25)))").parts
    assert sets(parts) == [([0.0, 0.0], [0.5, 1.0]), ([0.0, 0.0], [0.25, 1.0])]
    assert all(isinstance(part, VerifyProperty) for part in parts)


def test_a_case_whose_bounds_exclude_each_other_is_left_out():
    cases = (
        "(assert (or (and (<= X_0 -1) (>= Y_0 1)) (and (<= X_0 0.5) (>= Y_0 2)) (and (>= (+ X_0 X_1) 2) (>= Y_0 3))))"
    )
    parts = query(BOX + "(assert (<= (+ X_0 X_1) 1))" + cases).parts
    assert sets(parts) == [([0.0, 0.0], [0.5, 1.0])]
    assert holds(parts[0], 2, 0, 0) and not holds(parts[0], 1, 0, 0)
    with pytest.raises(PropertyError, match="X_0 has the lower bound 0 above its upper bound -1"):
        query(BOX + "(assert (or (and (<= X_0 -1) (>= Y_0 1)) (and (>= X_0 2) (>= Y_0 1))))")


def test_a_case_whose_constraints_its_bounds_exclude_is_left_out():
    cases = "(assert (or (and (>= X_0 0.7) (>= X_1 0.7)) (<= X_0 0.3)))"
    parts = query(BOX + "(assert (<= (+ X_0 X_1) 1.0))" + GOAL + cases).parts
    assert [part.input_set.bounds(0) for part in parts] == [(0, Fraction(3, 10))]


def test_too_many_input_sets_are_refused_before_they_are_made():
    cases = " ".join(f"(<= X_0 {i}e-4)" for i in range(1, 1002))
    with pytest.raises(PropertyError, match=r"asks about 1001 input sets, .* at most 1000 are supported, so split"):
        query(BOX + GOAL + f"(assert (or {cases}))")


def test_inputs_fixed_at_decimals_are_those_rationals():
    prop = query("(assert (>= X_0 0.1)) (assert (<= X_0 0.1)) (assert (= X_1 0.30))" + GOAL).prop
    assert prop.input_set.point(np.zeros(2)) == [Fraction(1, 10), Fraction(3, 10)]


def test_comparisons_of_one_function_of_inputs_are_one_constraint():
    rows = "(assert (<= (+ X_0 (* 2.0 X_1)) 1.0)) (assert (>= (+ (* -2.0 X_0) (* -4 X_1)) -1.0)) (assert (<= X_0 X_1))"
    constraints = query(BOX + rows + GOAL).prop.input_set.constraints
    found = [(row.terms, row.lower, row.upper) for row in constraints]
    assert found == [(((0, 1), (1, 2)), None, Fraction(1, 2)), (((0, 1), (1, -1)), None, 0)]


def test_two_inequalities_that_meet_are_an_equality():
    rows = "(assert (<= (+ X_0 X_1) 0.7)) (assert (>= (+ X_0 X_1) 0.7))"
    s = query(BOX + rows + GOAL).prop.input_set
    assert sum(s.point(np.array([0.25, 0.0]))) == Fraction(7, 10)


# -- goals


def test_asserts_are_clauses_that_are_not_multiplied_out():
    clauses = "".join(f"(assert (or (>= Y_0 {i}) (>= Y_1 {i})))" for i in range(20))
    prop = query(BOX + clauses + "(assert (>= Y_2 0))").prop
    assert [len(clause) for clause in prop.goal.clauses] == [1] + [2] * 20
    assert holds(prop, 10, 19, 0) and not holds(prop, 18, 10, 0) and not holds(prop, 19, 19, -1)


def test_the_value_of_clauses_is_the_least_slack():
    goal = query(BOX + "(assert (or (>= Y_0 1) (>= Y_1 1))) (assert (or (>= Y_2 1) (>= Y_0 3)))").prop.goal
    assert goal.value([Fraction(2), Fraction(5), Fraction(0)]) == max(min(4, -1), -1)
    assert goal.value([Fraction(7, 2), Fraction(5), Fraction(9)]) == 4


def test_strictness_is_that_of_each_atom():
    prop = query(BOX + "(assert (> Y_0 1)) (assert (or (>= Y_1 1) (> Y_2 1)))").prop
    assert isinstance(prop, LinearProperty) and not prop.strict
    assert holds(prop, 2, 1, 0) and not holds(prop, 1, 1, 0)
    assert not holds(prop, 2, 0, 1) and holds(prop, 2, 0, 2)


def test_a_goal_that_is_strict_throughout_marks_no_atom():
    prop = query(BOX + "(assert (> Y_0 1)) (assert (> Y_1 1))").prop
    assert prop.strict and not any(atom.strict for atom in prop.goal.atoms)


def test_an_equality_of_outputs_holds_at_one_value_only():
    prop = query(BOX + "(assert (= Y_0 0.1))").prop
    assert holds(prop, Fraction(1, 10), 0, 0)
    assert not holds(prop, Fraction(0.1), 0, 0)
    assert prop.goal.value([Fraction(1, 10), Fraction(0), Fraction(0)]) == 0


# -- any nesting

_EMPTY = ("lacks a comparison", "leave no", "no input satisfies", "above its", "meet in a", "out of bounds")
quarters = st.integers(-4, 4).map(lambda n: Fraction(n, 4))


@st.composite
def formulas(draw, depth=3):
    """Draw (text, truth): a formula, and whether it holds at inputs x and outputs y, as a function."""
    if depth == 0 or draw(st.booleans()):
        letter = draw(st.sampled_from("XYY"))
        one, two, constant = draw(quarters), draw(quarters), draw(quarters)
        assume(one or two)
        sign = draw(st.sampled_from(["<=", ">="] if letter == "X" else ["<=", ">=", "<", ">", "="]))
        text = f"({sign} (+ (* {float(one)} {letter}_0) (* {float(two)} {letter}_1)) {float(constant)})"
        relation = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "=": operator.eq}[sign]
        return text, lambda x, y: relation(sum(c * v for c, v in zip((one, two), x if letter == "X" else y)), constant)  # noqa: B905
    word, every = draw(st.sampled_from([("and", all), ("or", any)]))
    parts = draw(st.lists(formulas(depth - 1), min_size=1, max_size=3))
    return f"({word} {' '.join(text for text, _ in parts)})", lambda x, y: every(truth(x, y) for _, truth in parts)


@settings(max_examples=300, deadline=None)
@given(st.lists(formulas(), min_size=1, max_size=3), st.data())
def test_a_point_answers_a_part_exactly_where_the_formulas_hold(drawn, data):
    declared = "".join(f"(declare-const {name} Real)" for name in ("X_0", "X_1", "Y_0", "Y_1"))
    box = "".join(f"(assert (>= X_{i} -1)) (assert (<= X_{i} 1))" for i in range(2))
    text = declared + box + "".join(f"(assert {text})" for text, _ in drawn)
    try:
        parts = parse_vnnlib(text.encode(), "p").parts
    except PropertyError as error:
        assert any(word in str(error) for word in _EMPTY)
        assume(False)
    for _ in range(5):
        x, y = (
            data.draw(st.lists(quarters, min_size=2, max_size=2)),
            data.draw(st.lists(quarters, min_size=2, max_size=2)),
        )
        answered = any(part.input_set.violation(np.array(x, dtype=float)) == 0 and reached(part, y) for part in parts)
        determined = any(part.input_set.determined for part in parts)
        assert answered is all(truth(x, y) for _, truth in drawn) or determined


def reached(part, y):
    """Return whether the goal of a part is reached at outputs y."""
    return part.goal.value(y) > 0 or (not part.strict and part.goal.holds(y))
