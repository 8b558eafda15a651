"""VNN-LIB 2.0 files are read exactly; what is not supported, and what the parser would misread, is one line."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vnnbench.instances.properties.vnnlib2_reader as reader
from support.properties import make_set, targeted
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.formulas import Letter, Statement, Variable, comparisons
from vnnbench.instances.properties.goals import Atom, OutputGoal
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import LinearProperty, VerifyProperty
from vnnbench.instances.properties.property_file import property_json
from vnnbench.instances.properties.rational_set import rational_set
from vnnbench.instances.properties.statements import statement_of, statement_on_steps
from vnnbench.instances.properties.vnnlib2_writer import vnnlib2_bytes
from vnnbench.instances.properties.vnnlib_reader import parse_vnnlib
from vnnbench.instances.properties.vnnlib_writer import meaning

F = Fraction

HEAD = """; a comment
(vnnlib-version <2.0>)
(declare-network f
  (declare-input X real [1,2])
  (declare-output Y real [1,3])
)
"""
BOX = """(assert (and (>= X[0,0] -0.1) (<= X[0,0] 0.5)))
(assert (and (>= X[0,1] 0.0) (<= 1.0 X[0,1]) (<= X[0,1] 2.0)))
"""
GOAL = "(assert (> Y[0,1] Y[0,0]))\n"


def read(text):
    return parse_vnnlib(text.encode(), "some.vnnlib")


def atom(text):
    """The only atom of a goal, which is asserted on line 9."""
    (only,) = read(HEAD + BOX + f"(assert {text})").prop.goal.atoms
    return dict(only.terms), only.constant


def test_a_file_is_read_exactly():
    prop = read(HEAD + BOX + GOAL).prop
    assert isinstance(prop, VerifyProperty)
    assert (prop.source, prop.targets, prop.strict) == (0, (1,), True)
    assert [prop.input_set.bounds(i) for i in range(2)] == [(F(-1, 10), F(1, 2)), (F(1), F(2))]
    assert read(HEAD + BOX + GOAL).n_outputs == 3
    assert not read(HEAD + BOX + GOAL.replace(">", ">=")).prop.strict


@pytest.mark.parametrize(
    ("text", "terms", "constant"),
    [
        ("(<= Y[0,0] 3.5)", {0: -1}, "3.5"),
        ("(>= (+ Y[0,0] (* -1.0 Y[0,1])) 0.2)", {0: 1, 1: -1}, "-0.2"),
        ("(<= (- Y[0,0] Y[0,1] Y[0,2]) (* Y[0,0] 0.25))", {0: "-0.75", 1: 1, 2: 1}, "0"),
        ("(>= (- Y[0,2]) (- 1.0))", {2: -1}, "1"),
        ("(>= (* 2.0 (+ Y[0,2] 0.5) 0.1) (* 3.0 0.1))", {2: "0.2"}, "-0.2"),
    ],
)
def test_terms_are_exact(text, terms, constant):
    assert atom(text) == ({k: F(c) for k, c in terms.items()}, F(constant))


def test_nested_products_take_time_in_proportion_to_their_depth(monkeypatch):
    n_added = [0]
    add = reader._Sum.add

    def counting(self, term, factor):
        n_added[0] += 1
        assert n_added[0] < 1000
        add(self, term, factor)

    monkeypatch.setattr(reader._Sum, "add", counting)
    nested = "(* -2.0 " * 50 + "(+ Y[0,0] 1.0)" + ")" * 50
    assert atom(f"(>= {nested} 0.5)") == ({0: F(2**50)}, F(2**50) - F(1, 2))


def test_products_of_products_are_within_what_files_hold():
    large = f"1{'0' * 90}.0"
    with pytest.raises(PropertyError, match="line 9: a number exceeds 1e"):
        atom(f"(>= (* {large} (* {large} Y[0,0])) 0.0)")
    assert atom("(>= (* 2.0 (+ (* 3.0 (- Y[0,0] 1.0)) Y[0,1]) (+ 0.5 (* 0.5 1.0))) 0.0)") == ({0: 6, 1: 2}, -6)


def test_numbers_are_the_rationals_of_their_digits():
    digits = "0.1000000000000000000000000000000000001"
    assert atom(f"(>= Y[0,0] {digits})") == ({0: 1}, -F(digits))


def test_an_equality_is_read():
    prop = read(HEAD + BOX + "(assert (== Y[0,1] Y[0,0]))").prop
    assert {a.terms for a in prop.goal.atoms} == {((0, F(-1)), (1, F(1))), ((0, F(1)), (1, F(-1)))}


def test_elements_are_numbered_in_the_order_of_dimensions():
    text = HEAD.replace("[1,2]", "[2,1,3]").replace("[1,3]", "[]").replace("real", "float32")
    places = [(i, j) for i in range(2) for j in range(3)]
    box = "".join(f"(assert (<= 0.0 X[{i},0,{j}]))(assert (<= X[{i},0,{j}] {i}.{j}5))\n" for i, j in places)
    query = read(text + box + "(assert (>= Y 0.5))")
    assert [query.prop.input_set.bounds(k)[1] for k in range(6)] == [F(f"{i}.{j}5") for i, j in places]
    assert (query.n_outputs, query.prop.goal.atoms) == (1, (Atom(((0, F(1)),), F(-1, 2)),))


def test_a_name_may_follow_its_declaration_without_a_blank():
    glued = HEAD.replace("-input X", "-inputX").replace("-output Y", "-outputY").replace("-network f", "-networkf")
    assert property_json(read(glued + BOX + GOAL).prop) == property_json(read(HEAD + BOX + GOAL).prop)
    with pytest.raises(PropertyError, match="line 5: the type 'int8' is not supported"):
        read(glued.replace("real [1,3]", "int8 [1,3]") + BOX)


def test_the_version_is_decided_by_the_text():
    old = "(declare-const X_0 Real)\n; (vnnlib-version <2.0>)\n"
    assert not reader.is_version_2(old)
    assert not reader.is_version_2(";" * 10_000)
    assert reader.is_version_2("\n ; (declare-const\n\t( declare-network f")
    assert reader.is_version_2(HEAD)
    assert property_json(parse_vnnlib(b"\xef\xbb\xbf" + (HEAD + BOX + GOAL).encode(), "p").prop) == property_json(
        read(HEAD + BOX + GOAL).prop
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD.replace("2.0", "2.1") + BOX, "is of VNN-LIB 2.1; versions 1.0 and 2.0 are read"),
        (HEAD.replace("(vnnlib-version <2.0>)", "") + BOX, r"line 3: '\(declare-network' is not expected here"),
        (HEAD + BOX, "lacks a comparison of outputs"),
        (HEAD, "line 6: the file ends before it is complete"),
        (HEAD + BOX + "(assert (>= Y[0,0]", "line 9: the file ends before it is complete"),
        (HEAD + BOX + "(assert (>= Y[0,0] 1))", r"line 9: Type mismatch in arithmetic expression \(1\)"),
        (HEAD + BOX + "(assert (>= Y[0,0] 1.0e-5))", "line 9: 'e' is not .*; its numbers have no exponent"),
        (HEAD + BOX + "(assert (>= Y[0,3] 1.0))", "line 9: Index out of bounds"),
        (HEAD + BOX + "(assert (>= Y[0,-1] 1.0))", "line 9: '-' stands in brackets"),
        (HEAD + BOX + "\n(assert (>= Y[0,1.5] 1.0))", "line 10: '.' stands in brackets"),
        (HEAD.replace("[1,3]", "[1,3.5]") + BOX + GOAL, "line 5: '.' stands in brackets"),
        (HEAD + BOX + "(assert (>= Z[0,0] 1.0))", "line 9: Undeclared variable"),
        (HEAD + BOX + "(assert (!= Y[0,0] 1.0))", "line 9: != is not supported"),
        (HEAD + BOX + "(assert (>=\n(* 2.0 Y[0,0] Y[0,1]) 1.0))", "line 10: multiplies variables"),
        (HEAD + BOX + "(assert (>= X[0,0] Y[0,0]))", "line 9: compares inputs with outputs"),
        (HEAD + BOX + "(assert (>= 1.0 2.0))", "line 9: compares what is the same for all inputs"),
        (HEAD + BOX + f"(assert (>= Y[0,0] 0.{'0' * 330}1))", "line 9: 0.000.* is beyond what the parser"),
        (HEAD + BOX + f"(assert (>= Y[0,0] 1{'0' * 330}.0))", "line 9: 1000.* is beyond what the parser"),
        (HEAD + BOX + "(assert (>= Y[0,0] 99999999999999999999))", "line 9: 9999.* is beyond what the parser"),
        (HEAD + BOX + f"(assert (>= Y[0,0] 0.1{'0' * 3000}))", "line 9: a number of more than 2402 digits"),
        (HEAD + BOX + f"(assert (>= Y[0,0] 1{'0' * 101}.0))", "line 9: a number exceeds 1e"),
        (HEAD + BOX + "(assert (>= Y[0,0] \u0663.0))", "line 9: .* stands outside of comments"),
        (HEAD + BOX + "\0" + GOAL, "line 9: .* stands outside of comments"),
        (HEAD.replace("real [1,3]", "int8 [1,3]") + BOX, "line 5: the type 'int8' is not supported"),
        (HEAD.replace("real [1,3]", "quux [1,3]") + BOX, "line 5: the type 'quux' is not supported"),
        (HEAD.replace("[1,2]", "[9999,9999]") + BOX, "line 4: declares 99980001 elements"),
        (HEAD.replace("[1,2]", "[1,99999999999999999999]") + BOX, "line 4: 9999.* is beyond what the parser"),
        (HEAD.replace("\n)", '\n(declare-hidden H real [2] "h;((")\n)') + BOX, "line 6: a hidden node"),
        (HEAD.replace("[1,2])", "[1,2])\n(declare-input Z real [1])") + BOX, "line 5: declares another input"),
        (HEAD.replace("\n)", "\n(declare-output Z real [1]))") + BOX, "line 6: declares another output"),
        (HEAD + HEAD[35:].replace("X", "U").replace("Y", "V") + BOX, "line 7: declares another network"),
        (HEAD + BOX + "(assert " + "(or " * 100_000 + "(>= Y[0,0] 1.0)", "line 9: more than 64 parentheses are nested"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_one_line(text, message):
    with pytest.raises(PropertyError, match=message) as caught:
        read(text)
    assert str(caught.value).startswith("some.vnnlib: ")
    assert "\n" not in str(caught.value)


def test_comments_may_hold_anything():
    text = HEAD + '; "quoted" [0.5] ((( \u00fc \0 (declare-network g\n' + BOX + GOAL
    assert property_json(read(text).prop) == property_json(read(HEAD + BOX + GOAL).prop)


def test_whatever_the_parser_raises_is_one_line(monkeypatch):
    def broken(_text):
        raise MemoryError("out of\nmemory")

    monkeypatch.setattr(reader.vnnlib, "parse_query_string", broken)
    with pytest.raises(PropertyError, match=r"some\.vnnlib: cannot be read as VNN-LIB 2\.0 \(MemoryError: out of"):
        read(HEAD + BOX + GOAL)


def test_a_file_of_endless_words_is_refused_before_it_is_parsed(monkeypatch):
    monkeypatch.setattr(reader, "MAX_WORDS", 50)
    assert read(HEAD + BOX + GOAL).n_outputs == 3
    with pytest.raises(PropertyError, match="holds 75 words and numbers; at most 50 are read"):
        read(HEAD + BOX + "(assert (>= (+ " + "Y[0,0] " * 40 + ") 0.0))")


# -- everything that is written is read

decimals = st.builds(lambda n, places: F(n, 10**places), st.integers(-(10**6), 10**6), st.integers(0, 9))
numbers = decimals | st.floats(-1e6, 1e6, allow_subnormal=False).map(F)
nonzero = numbers.filter(bool)


@st.composite
def sets(draw):
    """Boxes, some cut by a constraint that leaves room around their middle."""
    ends = [sorted((draw(numbers), draw(numbers))) for _ in range(draw(st.integers(1, 4)))]
    bounds = [(lower, upper + 1) for lower, upper in ends]
    if len(bounds) == 1 or draw(st.booleans()):
        return rational_set(bounds)
    terms = ((0, draw(st.integers(1, 5))), (1, draw(st.sampled_from([-7, 1, 11]))))
    middle = sum((c * (bounds[i][0] + bounds[i][1]) / 2 for i, c in terms), F(0))
    return rational_set(bounds, (LinearConstraint(terms, middle - 1, draw(st.none() | st.just(middle + 1))),))


@st.composite
def goals(draw, n_outputs=4):
    """A goal as the reader makes it, and whether all of it is strict. Only the first clause may have one disjunct."""
    mixed, strict = draw(st.sampled_from([(False, False), (False, True), (True, False)]))

    def disjunct():
        of_atom = st.lists(st.integers(0, n_outputs - 1), min_size=1, unique=True)
        outputs = draw(st.lists(of_atom, min_size=1, max_size=3))
        return tuple(Atom(tuple((k, draw(nonzero)) for k in sorted(own)), draw(numbers)) for own in outputs)

    clauses = [tuple(disjunct() for _ in range(draw(st.integers(2, 3)))) for _ in range(draw(st.integers(0, 2)))]
    if not clauses or draw(st.booleans()):
        clauses.insert(0, (disjunct(),))
    if mixed:
        first = clauses[0][0]
        marked = Atom(first[0].terms, first[0].constant, strict=True)
        rest = (*first[1:], Atom(((0, F(1)),), draw(numbers)))
        clauses[0] = ((marked, *rest), *clauses[0][1:])
    return OutputGoal(tuple(clauses)), strict


@settings(deadline=None, max_examples=150)
@given(sets(), goals())
def test_every_property_of_a_box_comes_back(input_set, asked):
    goal, strict = asked
    prop = LinearProperty(input_set, goal, strict, None, None)
    data = vnnlib2_bytes(statement_of(prop, 4), (1, input_set.n_inputs), (2, 2))
    query = parse_vnnlib(data, "some.vnnlib")
    assert (meaning(query.prop), query.prop.strict, query.n_outputs) == (meaning(prop), strict, 4)
    if isinstance(query.prop, LinearProperty):  # else the goal is that one of some outputs beats another
        assert property_json(query.prop) == property_json(prop)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=4), st.floats(2.0**-60, 2.0), st.data())
def test_every_property_of_classes_comes_back(centre, radius, data):
    centre = np.array(centre)
    ball = InputSet(Norm.LINF, centre, radius, np.zeros(len(centre)), np.ones(len(centre)))
    targets, strict = data.draw(st.sampled_from([(0,), (2, 0)])), data.draw(st.booleans())
    prop = VerifyProperty(ball, 1, targets, strict, dataset="digits", sample=3)
    query = parse_vnnlib(vnnlib2_bytes(statement_of(prop, 3), (1, len(centre)), (1, 3)), "some.vnnlib")
    assert (query.prop.source, query.prop.targets, query.prop.strict) == (1, targets, strict)
    assert meaning(query.prop) == meaning(prop)


def test_an_l1_ball_comes_back_as_a_box_of_steps_with_one_constraint():
    prop = targeted(make_set([0.25, 0.5], 0.75))
    query = parse_vnnlib(vnnlib2_bytes(statement_on_steps(prop, 2), (1, 4), (1, 2)), "some.vnnlib")
    steps = query.prop.input_set
    assert steps.upper.tolist() == [0.75, 0.5, 0.25, 0.5]
    assert steps.constraints == (LinearConstraint(tuple((i, 1) for i in range(4)), None, F(3, 4)),)
    assert (query.prop.source, query.prop.targets, query.prop.strict) == (0, (1,), True)


def test_a_statement_has_the_lines_of_its_comparisons():
    statement = reader.parse_statement(HEAD + BOX + GOAL)
    assert isinstance(statement, Statement)
    found = [(c.line, next(iter(c.function.terms))) for f in statement.asserted for c in comparisons(f)]
    assert found[:2] == [(7, Variable(Letter.INPUT, 0))] * 2
    assert found[-1] == (9, Variable(Letter.OUTPUT, 1))
