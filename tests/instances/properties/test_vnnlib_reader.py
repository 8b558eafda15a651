"""VNN-LIB files are read exactly as they stand, written so that they read back exactly, or refused in one line."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.properties import make_box, make_set
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties import s_expressions
from vnnbench.instances.properties.goals import Atom, OutputGoal, one_clause
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.property import LinearProperty, MaximizeProperty, VerifyProperty
from vnnbench.instances.properties.property_file import property_json
from vnnbench.instances.properties.rational_set import rational_set
from vnnbench.instances.properties.vnnlib_reader import parse_vnnlib, read_vnnlib
from vnnbench.instances.properties.vnnlib_writer import meaning, vnnlib_bytes

DECLARED = """; two inputs, three outputs
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(declare-const Y_2 Real)
"""
BOX = """(assert (>= X_0 -1.5)) (assert (<= X_0 2.5e-1))
(assert (<= 0 X_1))
(assert (>= 1 X_1)) ; the other way round
"""
GOAL = "(assert (>= Y_1 Y_0))\n"


def read(text):
    return parse_vnnlib(text.encode(), "some.vnnlib")


def atoms(text):
    """Return the clauses of the goal that these asserts make: each atom as ({output: coefficient}, constant)."""
    goal = read(DECLARED + BOX + text).prop.goal
    return [
        [[(dict(atom.terms), atom.constant) for atom in disjunct] for disjunct in clause] for clause in goal.clauses
    ]


def test_bounds_are_exact_rationals():
    prop = read(DECLARED + BOX + GOAL).prop
    assert (prop.input_set.lower.tolist(), prop.input_set.upper.tolist()) == ([-1.5, 0.0], [0.25, 1.0])
    assert not prop.strict
    tenth = read(DECLARED + BOX + "(assert (<= X_1 0.1))" + GOAL).prop.input_set
    assert tenth.violation(np.array([0.0, 0.1])) == Fraction(0.1) - Fraction(1, 10) > 0
    assert tenth.violation(np.array([0.0, np.nextafter(0.1, 0)])) == 0
    assert tenth.upper[1] == 0.1  # rounded outward for bounds and MILP


def test_several_bounds_on_an_input_hold_together():
    box = read(DECLARED + BOX + "(assert (and (>= X_0 -1.0) (<= (* 2.0 X_0) 0.25) (<= (- X_1) -0.5)))" + GOAL).prop
    assert (box.input_set.lower.tolist(), box.input_set.upper.tolist()) == ([-1.0, 0.5], [0.125, 1.0])


def test_a_goal_of_classes_names_them():
    targeted = read(DECLARED + BOX + GOAL).prop
    assert isinstance(targeted, VerifyProperty)
    assert (targeted.source, targeted.targets) == (0, (1,))
    untargeted = read(DECLARED + BOX + "(assert (or (and (>= Y_2 Y_1)) (and (<= Y_1 Y_0))))").prop
    assert isinstance(untargeted, VerifyProperty)
    assert (untargeted.source, untargeted.targets) == (1, (2, 0))
    several = read(DECLARED + BOX + "(assert (or (>= Y_2 Y_1) (>= Y_1 Y_0)))").prop
    assert isinstance(several, LinearProperty)


@pytest.mark.parametrize(
    "goal", ["(assert (> Y_1 Y_0))", "(assert (< Y_0 Y_1))", "(assert (or (> Y_1 Y_0) (< 3.0 Y_2)))"]
)
def test_strict_comparisons_make_a_strict_goal(goal):
    assert read(DECLARED + BOX + goal).prop.strict
    assert not read(DECLARED + BOX + goal.replace("<", "<=").replace(">", ">=")).prop.strict


def test_a_byte_order_mark_is_skipped():
    text = DECLARED + BOX + GOAL
    assert property_json(parse_vnnlib(b"\xef\xbb\xbf" + text.encode(), "p").prop) == property_json(read(text).prop)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(assert (<= Y_0 3.5))", [[[({0: -1}, Fraction(7, 2))]]]),
        ("(assert (>= Y_0 3.5))", [[[({0: 1}, Fraction(-7, 2))]]]),
        ("(assert (>= (+ Y_0 (* -1.0 Y_1)) 0.2))", [[[({0: 1, 1: -1}, Fraction(-1, 5))]]]),
        ("(assert (<= (- Y_0 Y_1 Y_2) (* Y_0 2e-1)))", [[[({0: Fraction(-4, 5), 1: 1, 2: 1}, 0)]]]),
        ("(assert (<= (- Y_0 (- Y_1)) (- 1.0)))", [[[({0: -1, 1: -1}, -1)]]]),
        ("(assert (>= Y_0 1)) (assert (<= Y_1 2))", [[[({0: 1}, -1), ({1: -1}, 2)]]]),
        ("(assert (and (>= Y_0 1) (<= Y_1 2)))", [[[({0: 1}, -1), ({1: -1}, 2)]]]),
        ("(assert (= Y_0 Y_1))", [[[({0: 1, 1: -1}, 0), ({0: -1, 1: 1}, 0)]]]),
        ("(assert (or (>= Y_0 1) (and (>= Y_1 1) (>= Y_2 1))))", [[[({0: 1}, -1)], [({1: 1}, -1), ({2: 1}, -1)]]]),
        (
            "(assert (>= Y_2 0)) (assert (or (>= Y_0 1) (>= Y_1 1)))",
            [[[({2: 1}, 0)]], [[({0: 1}, -1)], [({1: 1}, -1)]]],
        ),
        (
            "(assert (and (or (>= Y_0 1) (>= Y_0 2)) (or (>= Y_1 1) (>= Y_1 2))))",
            [[[({0: 1}, -1)], [({0: 1}, -2)]], [[({1: 1}, -1)], [({1: 1}, -2)]]],
        ),
        (
            "(assert (or (and (or (>= Y_0 1) (>= Y_0 2)) (>= Y_2 0)) (>= Y_1 1)))",
            [[[({0: 1}, -1), ({2: 1}, 0)], [({0: 1}, -2), ({2: 1}, 0)], [({1: 1}, -1)]]],
        ),
    ],
)
def test_goals_are_conjunctions_of_clauses_of_linear_atoms(text, expected):
    assert atoms(text) == expected


def test_disjuncts_may_bound_the_inputs_where_all_do_alike():
    text = """(assert (or (and (<= X_0 0.125) (>= X_0 0.0) (>= Y_0 1.0))
                          (and (>= X_0 0.0) (<= X_0 0.125) (>= Y_1 1.0))))"""
    prop = read(DECLARED + BOX + text).prop
    assert (prop.input_set.lower[0], prop.input_set.upper[0]) == (0.0, 0.125)
    assert [len(clause) for clause in prop.goal.clauses] == [2]
    wider = "(assert (or (and (<= X_0 9.0) (>= Y_0 1.0)) (>= Y_1 1.0)))"
    assert read(DECLARED + BOX + wider).prop.input_set.upper[0] == 0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(assert (<= X_0 Y_1))" + GOAL, "line 10: compares inputs with outputs"),
        ("(assert (<= 0.0 1.0))" + GOAL, "line 10: compares what is the same for all inputs"),
        ("(assert (distinct Y_0 Y_1))", "line 10: 'distinct' is not supported here; supported are and, or"),
        ("(assert (< X_0 0.5))" + GOAL, "line 10: bounds an input strictly; use <= and >="),
        ("(assert Y_0)", "line 10: 'Y_0' is not supported here"),
        ("(assert (not (<= Y_0 1)))", "line 10: 'not' is not supported here"),
        ("(assert (or))", "line 10: 'or' is not supported here"),
        ("(assert (<= Y_0 1 2))", r"line 10: '<=' compares two terms, as in \(<= Y_0 1.0\)"),
        ("(assert (<= (* Y_0 Y_1) 1))", r"line 10: '\*' is not a linear term"),
        ("(assert (<= (/ Y_0 2) 1))", "line 10: '/' is not a linear term"),
        ("(assert (<= (+) 1))", r"line 10: '\+' is not a linear term"),
        ("(assert (<= Y_3 1))", "line 10: 'Y_3' is neither a declared constant nor a decimal number"),
        ("(assert (<= Y_0 1/3))", "line 10: '1/3' is neither"),
        ("(assert (<= Y_0 nan))", "line 10: 'nan' is neither"),
        ("(assert (<= Y_0 1e9999))", "line 10: '1e9999' is neither"),
        ("(assert (<= Y_0 1e999))", r"line 10: a number exceeds 1e\+100 or is more precise"),
        ("(assert (<= Y_0 1e-400))", "line 10: a number exceeds"),
        ("(assert (<= (* 1e60 (* 1e60 Y_0)) 1))", "line 10: a number exceeds"),
        ("(assert (<= (* 1e-100 X_0) 1e100))" + GOAL, "line 10: a number exceeds"),
        ("(assert (<= Y_0 ١))", "line 10: '١' is neither"),
        ("(assert (<= X_0 -2.0))" + GOAL, "X_0 has the lower bound -1.5 above its upper bound -2"),
        ("(assert (<= (+ X_0 X_1) -2.0))" + GOAL, "its bounds and constraints of inputs leave no input"),
        ("(assert (>= X_0 X_1 ))(assert (<= X_0 X_1))(assert (= X_0 (+ X_1 1)))" + GOAL, "no input satisfies"),
        ("", "lacks a comparison of outputs"),
        ("(assert (or (>= X_1 0.0) (>= Y_0 1.0)))", "lacks a comparison of outputs"),
        ("\n(check-sat)", "line 11: 'check-sat' is not supported; supported are"),
        ("(declare-const Y_2 Real)", "line 10: Y_2 is declared twice"),
        ("(declare-const Y_4 Real)" + GOAL, "declares 4 constants Y_i, which must count from Y_0"),
        ("(declare-const Z_0 Real)", "line 10: constant 'Z_0' must be called X_i or Y_i"),
        ("(declare-const X_2 Real)" + GOAL, "X_2 has no lower bound; every input needs both"),
        ("(declare-const X_2 Real) (assert (>= X_2 0))" + GOAL, "X_2 has no upper bound"),
        ("(declare-const X_2 Int)", "line 10: declares 'X_2' as 'Int'; only Real is supported"),
        ("(assert (>= Y_1 Y_0)", "line 10: a parenthesis is never closed; the file may be cut off"),
        ("(assert (or (>= Y_2 1) (and " + "(or (>= Y_0 1) (>= Y_1 1)) " * 20 + ")))", "makes 1048576 disjuncts"),
        ("(assert (or " + "(>= Y_0 1) " * 10001 + "))", "makes 10001 disjuncts"),
        (
            "(assert (or (>= X_0 0) (>= Y_1 1)))" * 14,
            "make 16384 cases of the inputs, more than the 10000 that are read",
        ),
    ],
)
def test_what_is_not_supported_is_one_line(text, message):
    with pytest.raises(PropertyError, match=message) as caught:
        read(DECLARED + BOX + text)
    assert str(caught.value).startswith("some.vnnlib: ")
    assert "\n" not in str(caught.value)


def test_files_are_read_gzipped_or_not_and_up_to_a_size(tmp_path, monkeypatch):
    data = (DECLARED + BOX + GOAL).encode()
    (tmp_path / "a.vnnlib").write_bytes(data)
    (tmp_path / "a.vnnlib.gz").write_bytes(gzip.compress(data))
    read_back = [read_vnnlib(tmp_path / name) for name in ("a.vnnlib", "a.vnnlib.gz")]
    assert [meaning(query.prop) for query in read_back] == [meaning(read(data.decode()).prop)] * 2
    assert [query.n_outputs for query in read_back] == [3, 3]
    monkeypatch.setattr("vnnbench.instances.properties.vnnlib_reader.MAX_VNNLIB_BYTES", len(data) - 1)
    for name in ("a.vnnlib", "a.vnnlib.gz"):
        with pytest.raises(PropertyError, match=rf"{name}: holds more than"):
            read_vnnlib(tmp_path / name)
    with pytest.raises(PropertyError, match="is not a text"):
        parse_vnnlib(b"\xff\xfe", "some.vnnlib")
    with pytest.raises(PropertyError, match=r"none\.vnnlib: cannot be read"):
        read_vnnlib(tmp_path / "none.vnnlib")


def test_every_truncation_is_read_or_named():
    text = DECLARED + BOX + "(assert (or (and (>= Y_0 1.5) (>= Y_1 Y_2)) (and (<= Y_2 -1e-1))))\n"
    random = np.random.default_rng(0)
    mutations = [text[:length] for length in range(len(text))]
    for _ in range(500):
        letters = list(text)
        for place in random.integers(0, len(text), random.integers(1, 4)):
            letters[place] = random.choice(list("() \nXY_019.-+e*;<=andor"))
        mutations.append("".join(letters))
    for mutated in mutations:
        try:
            read(mutated)
        except PropertyError as error:
            assert str(error).startswith("some.vnnlib: ")
            assert "\n" not in str(error)


# -- round trips

decimals = st.builds(lambda n, places: Fraction(n, 10**places), st.integers(-(10**6), 10**6), st.integers(0, 9))
dyadics = st.floats(-1e6, 1e6).map(Fraction)
numbers = decimals | dyadics


@st.composite
def goals(draw, n_outputs=4):
    def atom():
        outputs = draw(st.lists(st.integers(0, n_outputs - 1), min_size=1, max_size=3, unique=True))
        return Atom(tuple((k, draw(numbers.filter(bool) | st.just(Fraction(-1)))) for k in outputs), draw(numbers))

    def disjunct():
        return tuple(atom() for _ in range(draw(st.integers(1, 3))))

    def clause():
        return tuple(disjunct() for _ in range(draw(st.integers(1, 3))))

    return OutputGoal(tuple(clause() for _ in range(draw(st.integers(1, 3)))))


@st.composite
def boxes(draw):
    pairs = [sorted((draw(numbers), draw(numbers))) for _ in range(draw(st.integers(1, 4)))]
    return rational_set([(lower, upper + 1) for lower, upper in pairs])


@settings(deadline=None, max_examples=200)
@given(boxes(), goals(), st.booleans())
def test_the_same_rationals_come_back(box, goal, strict):
    prop = LinearProperty(box, goal, strict=strict, dataset=None, sample=None)
    data = vnnlib_bytes(prop, 4)
    query = parse_vnnlib(data, "some.vnnlib")
    assert meaning(query.prop) == meaning(prop)
    assert query.n_outputs == 4


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=4), st.floats(2.0**-60, 2.0), st.data())
def test_maximum_norm_balls_come_back_as_boxes(centre, radius, data):
    centre = np.array(centre)
    ball = InputSet(Norm.LINF, centre, radius, np.zeros(len(centre)), np.ones(len(centre)))
    prop = VerifyProperty(ball, 1, data.draw(st.sampled_from([(0,), (2, 0)])), strict=True, dataset="digits", sample=3)
    query = parse_vnnlib(vnnlib_bytes(prop, 3), "some.vnnlib")
    assert meaning(query.prop) == meaning(prop)
    assert (query.prop.source, query.prop.targets) == (prop.source, prop.targets)
    lower = [max(Fraction(0), Fraction(c) - Fraction(radius)) for c in centre.tolist()]
    assert list(meaning(query.prop).lower) == lower


def test_properties_beyond_vnnlib_have_no_file():
    box = make_box([0.0], [1.0])
    assert vnnlib_bytes(MaximizeProperty(box, 0, None, None), 2) is None
    assert vnnlib_bytes(VerifyProperty(make_set([0.5], 1.0), 0, (1,), True, None, None), 2) is None
    third = one_clause(((Atom(((0, Fraction(1, 3)),)),),))
    assert vnnlib_bytes(LinearProperty(box, third, False, None, None), 2) is None
    assert vnnlib_bytes(VerifyProperty(box, 0, (1,), False, None, None), 2).endswith(b"(assert (>= Y_1 Y_0))\n")
    assert vnnlib_bytes(VerifyProperty(box, 0, (1,), True, None, None), 2).startswith(b"; The goal is strict")


def test_the_same_set_and_goal_in_other_words_mean_the_same():
    one = read(DECLARED + BOX + "(assert (or (>= Y_1 Y_0) (>= (+ Y_2 (* 2.0 Y_0)) 1)))").prop
    other = read(DECLARED + BOX + "(assert (or (<= 1 (+ (* 2.0 Y_0) Y_2)) (and (<= Y_0 Y_1))))").prop
    changed = read(DECLARED + BOX + "(assert (or (<= 1 (+ (* 2.5 Y_0) Y_2)) (and (<= Y_0 Y_1))))").prop
    assert meaning(one) == meaning(other) != meaning(changed)
    assert meaning(one) != meaning(read(DECLARED + BOX.replace("-1.5", "-1.4") + GOAL).prop)


def test_clauses_mean_the_same_as_multiplied_out_in_earlier_versions():
    clauses = read(DECLARED + BOX + "(assert (>= Y_2 0)) (assert (or (>= Y_0 1) (>= Y_1 1)))").prop
    zero, one = Fraction(0), Fraction(-1)
    first, second, third = (Atom(((k, Fraction(1)),), constant) for k, constant in ((0, one), (1, one), (2, zero)))
    earlier = LinearProperty(clauses.input_set, one_clause(((third, first), (third, second))), False, None, None)
    assert clauses.goal != earlier.goal and meaning(clauses) == meaning(earlier)
    other = LinearProperty(clauses.input_set, one_clause(((third, first), (second,))), False, None, None)
    assert meaning(clauses) != meaning(other)


def test_bounds_whose_decimals_do_not_end_come_back():
    text = BOX + "(assert (<= (* 3.0 X_0) 0.5)) (assert (<= (+ (* -0.3 X_0) (* -1.2 X_1)) 0.56)) " + GOAL
    prop = read(DECLARED + text).prop
    assert prop.input_set.bounds(0)[1] == Fraction(1, 6)
    assert meaning(parse_vnnlib(vnnlib_bytes(prop, 3), "again").prop) == meaning(prop)


def test_constraints_and_strict_atoms_come_back():
    text = BOX + "(assert (<= (+ X_0 (* -2.0 X_1)) 0.1)) (assert (= X_0 (* 0.7 X_1))) (assert (> Y_0 1)) " + GOAL
    prop = read(DECLARED + text).prop
    data = vnnlib_bytes(prop, 3)
    assert b"(assert (> Y_0 1.0))" in data and b"(assert (>= Y_1 Y_0))" in data
    assert meaning(parse_vnnlib(data, "again").prop) == meaning(prop)
    for change in (("0.1", "0.2"), ("0.7", "0.8"), ("(> Y_0", "(>= Y_0")):
        assert meaning(read(DECLARED + text.replace(*change)).prop) != meaning(prop)


def test_extreme_floats_are_written_exactly():
    box = box_set(np.array([-1e6, 5e-324]), np.array([-0.1, 2.0**-1000]))
    prop = VerifyProperty(box, 0, (1,), False, None, None)
    assert meaning(parse_vnnlib(vnnlib_bytes(prop, 2), "some.vnnlib").prop) == meaning(prop)


@pytest.mark.parametrize(
    ("name", "source", "radius"),
    [("prop_0_0.03", 4, 0.03), ("prop_1_0.03", 7, 0.03), ("prop_2_0.05", 4, 0.05), ("prop_3_0.05", 0, 0.05)],
)
def test_properties_of_the_competition_are_read(competition, name, source, radius):
    query = read_vnnlib(competition / f"{name}.vnnlib.gz")
    prop = query.prop
    assert (query.n_outputs, prop.input_set.n_inputs, prop.source, len(prop.targets)) == (10, 784, source, 9)
    widths = prop.input_set.upper - prop.input_set.lower
    assert radius - 1e-6 <= widths.min() <= widths.max() <= 2 * radius + 1e-6
    assert prop.input_set.lower.min() == 0.0
    assert len(prop.input_set.exact.upper) > 0  # decimals that no float64 holds
    assert meaning(parse_vnnlib(vnnlib_bytes(prop, 10), "again").prop) == meaning(prop)


def test_a_long_sum_is_read_in_one_pass():
    n = 20_000
    declared = "".join(f"(declare-const Y_{i} Real)" for i in range(3, n))
    start = time.process_time()
    prop = read(DECLARED + declared + BOX + f"(assert (>= (+ {' '.join(f'Y_{i}' for i in range(n))}) 1.0))").prop
    assert len(prop.goal.atoms[0].terms) == n
    assert time.process_time() - start < 10  # term by term it took a minute


def test_disjuncts_that_multiply_are_refused_before_they_take_memory():
    many = "(assert (or (>= Y_2 1) (and " + "(or (>= Y_0 1) (>= Y_1 1)) " * 14 + ")))"
    tracemalloc.start()
    with pytest.raises(PropertyError, match="disjuncts when it is written as one"):
        read(DECLARED + BOX + many * 30)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 25


def test_a_list_of_endless_words_is_refused(monkeypatch):
    monkeypatch.setattr(s_expressions, "MAX_PARTS", 100)
    assert read(DECLARED + BOX * 20 + GOAL).n_outputs == 3
    with pytest.raises(PropertyError, match="line 10: one list holds more than 100 words"):
        read(DECLARED + BOX + "(assert " + "a " * 100)
