"""VNN-LIB 2.0 files: what they say, and that the official parser and type checker reads each of them."""

from fractions import Fraction

import numpy as np
import pytest
import vnnlib
from hypothesis import given, settings
from hypothesis import strategies as st

from support.properties import highest, make_box, make_set, targeted
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.goals import Atom, OutputGoal, one_clause
from vnnbench.instances.properties.input_set import ExactNumbers, InputSet, Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import LinearProperty, VerifyProperty
from vnnbench.instances.properties.rational_set import rational_set
from vnnbench.instances.properties.statements import statement_of, statement_on_steps
from vnnbench.instances.properties.vnnlib2_writer import vnnlib2_bytes
from vnnbench.instances.rationals import float_above

F = Fraction


def text_of(prop, shapes=((1, 2), (1, 2))):
    data = vnnlib2_bytes(statement_of(prop, int(np.prod(shapes[1]))), *shapes)
    vnnlib.parse_query_string(data.decode())
    return data.decode()


def test_a_strict_goal_is_written_strictly():
    prop = targeted(make_box([0.0, -0.5], [1.0, 2.0**-30]))
    assert text_of(prop) == (
        "(vnnlib-version <2.0>)\n(declare-network network\n"
        "  (declare-input X real [1,2])\n  (declare-output Y real [1,2])\n)\n"
        "(assert (>= X[0,0] 0.0))\n(assert (<= X[0,0] 1.0))\n"
        "(assert (>= X[0,1] -0.5))\n(assert (<= X[0,1] 0.000000000931322574615478515625))\n"
        "(assert (> Y[0,1] Y[0,0]))\n"
    )
    assert text_of(targeted(make_box([0.0, -0.5], [1.0, 0.5]), strict=False)).endswith("(assert (>= Y[0,1] Y[0,0]))\n")


def test_several_targets_are_a_disjunction():
    prop = VerifyProperty(make_box([0.0] * 4, [1.0] * 4), 1, (0, 2), True, None, None)
    assert text_of(prop, ((1, 1, 2, 2), (3,))).endswith(
        "(assert (<= X[0,0,1,1] 1.0))\n(assert (or\n  (and (> Y[0] Y[1]))\n  (and (> Y[2] Y[1]))\n))\n"
    )


def test_a_network_of_one_number_without_dimensions_is_named_without_an_index():
    goal = one_clause(((Atom(((0, F(-2)),), F(1, 4)),),))
    prop = LinearProperty(make_box([0.0], [1.0]), goal, False, None, None)
    text = text_of(prop, ((1,), ()))
    assert "(declare-output Y real [])" in text
    assert text.endswith("(assert (<= (* 2.0 Y) 0.25))\n")


def test_constraints_among_inputs_and_single_strict_atoms_are_written():
    constraint = LinearConstraint(((0, 1), (1, -2)), F(-1), F(1, 2))
    goal = OutputGoal((((Atom(((0, F(1)),), F(0), strict=True),),), ((Atom(((1, F(1)),)),), (Atom(((1, F(-1)),)),))))
    prop = LinearProperty(rational_set([(F(0), F(1))] * 2, (constraint,)), goal, False, None, None)
    assert text_of(prop).endswith(
        "(assert (>= (+ X[0,0] (* -2.0 X[0,1])) -1.0))\n(assert (<= (+ X[0,0] (* -2.0 X[0,1])) 0.5))\n"
        "(assert (> Y[0,0] 0.0))\n(assert (or\n  (and (>= Y[0,1] 0.0))\n  (and (<= Y[0,1] 0.0))\n))\n"
    )


def test_comments_come_first():
    statement = statement_of(targeted(make_box([0.0], [1.0])), 2)
    assert vnnlib2_bytes(statement, (1, 1), (1, 2), ["one", "two"]).startswith(b"; one\n; two\n(vnnlib-version")


def test_what_2_0_cannot_say_is_a_reason():
    with pytest.raises(PropertyError, match="family is maximize, and VNN-LIB asks only whether"):
        statement_of(highest(make_box([0.0], [1.0])), 2)
    with pytest.raises(PropertyError, match="family is maximize, and VNN-LIB asks only whether"):
        statement_on_steps(highest(make_set([0.5], 1.0)), 2)
    with pytest.raises(PropertyError, match="L1 ball, which VNN-LIB cannot say about the inputs themselves"):
        statement_of(targeted(make_set([0.5], 1.0)), 2)
    with pytest.raises(PropertyError, match="not an L1 ball but of norm box"):
        statement_on_steps(targeted(make_box([0.0], [1.0])), 2)
    third = LinearProperty(make_box([0.0], [1.0]), one_clause(((Atom(((0, F(1, 3)),)),),)), False, None, None)
    with pytest.raises(PropertyError, match="a number has decimals that do not end"):
        vnnlib2_bytes(statement_of(third, 2), (1, 1), (1, 2))
    with pytest.raises(PropertyError, match="a number is beyond float64"):
        vnnlib2_bytes(statement_of(targeted(make_box([0.0], [1e-310])), 2), (1, 1), (1, 2))


# -- L1 balls, by steps from the centre

eighths = st.integers(-16, 16).map(lambda n: n / 8)


@st.composite
def balls(draw):
    n = draw(st.integers(1, 3))
    centre = np.array([draw(eighths) for _ in range(n)])
    lower = centre - np.array([draw(st.integers(0, 8)) / 8 for _ in range(n)])
    upper = centre + np.array([draw(st.integers(1, 8)) / 8 for _ in range(n)])
    return InputSet(Norm.L1, centre, draw(st.integers(1, 20)) / 8, lower, upper)


def is_allowed(statement, values):
    """Whether the statement's comparisons of inputs hold at exact values of them."""
    return all(
        sum((c * values[v.number] for v, c in f.function.terms.items()), f.function.constant) >= 0
        for f in statement.asserted
        if all(v.letter == "X" for v in f.function.terms)
    )


@settings(deadline=None, max_examples=100)
@given(balls(), st.data())
def test_steps_are_allowed_just_where_they_lead_to_points_of_the_ball(ball, data):
    statement = statement_on_steps(targeted(ball), 2)
    assert (statement.n_inputs, statement.n_outputs) == (2 * ball.n_inputs, 2)
    steps = st.lists(st.integers(0, 16).map(lambda n: F(n, 16)), min_size=ball.n_inputs, max_size=ball.n_inputs)
    for _ in range(10):
        p, m = data.draw(steps), data.draw(steps)
        x = ball.centre + np.array(p, dtype=float) - np.array(m, dtype=float)
        if is_allowed(statement, [*p, *m]):
            assert ball.violation(x) == 0
        moves = [F(v) - F(c) for v, c in zip(x.tolist(), ball.centre.tolist(), strict=True)]
        shortest = [*(max(move, F(0)) for move in moves), *(max(-move, F(0)) for move in moves)]
        assert is_allowed(statement, shortest) == (ball.violation(x) == 0)


@settings(deadline=None, max_examples=50)
@given(balls())
def test_the_parser_reads_the_property_on_steps(ball):
    statement = statement_on_steps(targeted(ball), 2)
    n = 2 * ball.n_inputs
    text = vnnlib2_bytes(statement, (1, n), (1, 2)).decode()
    assert len(vnnlib.parse_query_string(text).assertions) == 2 * n + 2


def test_the_radius_of_a_ball_that_float64_cannot_hold_is_written_exactly():
    exact = ExactNumbers(F(1, 10), {}, {})
    ball = InputSet(Norm.L1, np.array([0.5]), float_above(F(1, 10)), np.zeros(1), np.ones(1), exact)
    text = vnnlib2_bytes(statement_on_steps(targeted(ball), 2), (1, 2), (1, 2)).decode()
    assert "(assert (<= (+ X[0,0] X[0,1]) 0.1))\n" in text
    assert "(assert (<= X[0,0] 0.1))\n" in text


# -- everything that is written is read

decimals = st.builds(lambda n, places: F(n, 10**places), st.integers(-(10**6), 10**6), st.integers(0, 9))
numbers = decimals | st.floats(-1e6, 1e6, allow_subnormal=False).map(F)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4), st.data(), st.booleans())
def test_the_parser_reads_every_property_of_a_box(ends, data, strict):
    box = rational_set([(min(pair), max(pair) + 1) for pair in ends])
    terms = st.dictionaries(st.integers(0, 2), numbers.filter(bool), min_size=1).map(lambda d: tuple(d.items()))
    disjuncts = st.lists(st.builds(Atom, terms, numbers), min_size=1, max_size=3).map(tuple)
    clauses = st.lists(disjuncts, min_size=1, max_size=3).map(tuple)
    goal = OutputGoal(data.draw(st.lists(clauses, min_size=1, max_size=2).map(tuple)))
    prop = LinearProperty(box, goal, strict, None, None)
    text = vnnlib2_bytes(statement_of(prop, 3), (1, len(ends)), (1, 3)).decode()
    assert "e" not in text.partition("(assert")[2].replace("assert", "")
    vnnlib.parse_query_string(text)
