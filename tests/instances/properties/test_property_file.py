"""The JSON files of properties: read back bit for bit, and refused in one line."""

import os
from dataclasses import replace
from fractions import Fraction

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.goals import Atom, OutputGoal, margin, one_clause
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import ClosestProperty, LinearProperty, VerifyProperty
from vnnbench.instances.properties.property_file import property_json, read_property
from vnnbench.instances.properties.rational_set import rational_set


def make(centre, radius, lower=0.0, upper=1.0):
    centre = np.array(centre, dtype=np.float64)
    return InputSet(Norm.L1, centre, radius, np.full_like(centre, lower), np.full_like(centre, upper))


@given(
    centre=st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=6),
    radius=st.floats(5e-324, 1e300),
    strict=st.booleans(),
    dataset=st.none() | st.sampled_from(["mnist", "digits"]),
    sample=st.none() | st.integers(0, 10**6),
)
@settings(deadline=None)
def test_property_is_read_back_bit_for_bit(tmp_path_factory, centre, radius, strict, dataset, sample):
    centre = np.array(centre)
    s = InputSet(Norm.L1, centre, radius, centre - np.abs(centre) - 1, centre + 5e-324)
    path = tmp_path_factory.mktemp("property") / "p.json"
    path.write_bytes(property_json(VerifyProperty(s, 3, (5,), strict, dataset, sample)))
    back = read_property(path)
    for name in ("centre", "lower", "upper"):
        assert getattr(back.input_set, name).tobytes() == getattr(s, name).tobytes()
    assert (back.input_set.radius, back.input_set.norm) == (radius, Norm.L1)
    assert (back.source, back.targets, back.strict, back.dataset, back.sample) == (3, (5,), strict, dataset, sample)
    assert property_json(back) == path.read_bytes()


def test_the_largest_file_of_decimals_is_read_back_exactly(tmp_path):
    """Numbers that no float64 holds are strings in the file, rounded outwards in float64, and exact for the judge."""
    tenth, third = Fraction(1, 10), Fraction(1, 3)
    s = rational_set([(tenth, Fraction(1, 2)), (Fraction(0), third)])
    goal = one_clause(((margin(1, 0), Atom(((2, third),), -tenth)), (margin(2, 0),)))
    path = tmp_path / "p.json"
    path.write_bytes(property_json(LinearProperty(s, goal, False, None, None)))
    document = orjson.loads(path.read_bytes())
    assert (document["lower"], document["upper"], document["radius"]) == (["0.1", 0.0], [0.5, "1/3"], None)
    assert document["disjuncts"] == [
        [{"terms": [[1, 1.0], [0, -1.0]], "constant": 0.0}, {"terms": [[2, "1/3"]], "constant": "-0.1"}],
        [{"terms": [[2, 1.0], [0, -1.0]], "constant": 0.0}],
    ]
    assert document["family"] == "verify" and "targets" not in document
    back = read_property(path)
    assert isinstance(back, LinearProperty) and back.goal == goal and not back.strict
    assert (back.input_set.exact.lower, back.input_set.exact.upper) == ({0: tenth}, {1: third})
    assert property_json(back) == path.read_bytes()


def test_clauses_strict_atoms_and_constraints_are_read_back_exactly(tmp_path):
    row = LinearConstraint(((0, 1), (1, -3)), None, Fraction(1, 10))
    s = rational_set([(Fraction(1, 10), Fraction(1, 10)), (Fraction(0), Fraction(1))], (row,))
    goal = OutputGoal((((replace(margin(1, 0), strict=True),), (margin(2, 0),)), ((margin(0, 2), margin(1, 2)),)))
    path = tmp_path / "p.json"
    path.write_bytes(property_json(LinearProperty(s, goal, False, None, None)))
    document = orjson.loads(path.read_bytes())
    assert document["constraints"] == [{"terms": [[0, 1.0], [1, -3.0]], "lower": None, "upper": "0.1"}]
    assert (document["lower"][0], document["upper"][0], "disjuncts" in document) == ("0.1", "0.1", False)
    strict = {"terms": [[1, 1.0], [0, -1.0]], "constant": 0.0, "strict": True}
    assert document["clauses"][0] == [[strict], [{"terms": [[2, 1.0], [0, -1.0]], "constant": 0.0}]]
    back = read_property(path)
    assert back.goal == goal and back.input_set.constraints == (row,)
    assert back.input_set.point(np.array([5.0, 0.5])) == [Fraction(1, 10), Fraction(1, 2)]
    assert property_json(back) == path.read_bytes()


def test_closest_is_read_back_with_its_margin(tmp_path):
    path = tmp_path / "p.json"
    path.write_bytes(property_json(ClosestProperty(make([0.5], 1.0), 0, (2, 1), Fraction(1, 10), "mnist", 3)))
    document = orjson.loads(path.read_bytes())
    assert (document["family"], document["targets"], document["margin"]) == ("closest", [2, 1], "0.1")
    back = read_property(path)
    assert isinstance(back, ClosestProperty)
    assert (back.source, back.targets, back.margin, back.sample) == (0, (2, 1), Fraction(1, 10), 3)


GOOD = {
    "family": "verify",
    "norm": "l1",
    "centre": [0.5, 0.25],
    "radius": 1.5,
    "lower": [0, 0],
    "upper": [1, 1],
    "source": 0,
    "targets": [1],
    "strict": True,
    "dataset": None,
    "sample": None,
}


def test_integers_in_the_file_are_numbers(tmp_path):
    path = tmp_path / "p.json"
    path.write_bytes(orjson.dumps(GOOD | {"radius": 2}))
    assert read_property(path).input_set.radius == 2.0


def bad_documents():
    yield from ({k: v for k, v in GOOD.items() if k != key} for key in GOOD)
    for key, values in {
        "family": ["maximise", None, 3, ["verify"]],
        "norm": ["l2", None, ["l1"], {}],
        "centre": [None, 0.5, "0.5", [], [0.5], [0.5, None], [0.5, "0.25"], [0.5, [0.25]], [0.5, True], [2.0, 0.25]],
        "radius": ["1.5", None, True, 0, -1.5, [1.5], 2**60],
        "lower": [[0.75, 0], {}, [0, 2**53 + 1]],
        "upper": [[0.75, 0.125], "11", [1, "0.5"], [1, "x"], [1, "1e999"], [1, "0.2"]],
        "source": [0.0, "0", True, None, -1, 1, 2**63],
        "targets": [2**63, [2**63], [-1], 1, "1", [], [0], [1, 1], [1.0], ["1"], [True], None],
        "strict": ["false", 0, 1, None],
        "dataset": [3, ["mnist"]],
        "sample": ["17", 1.5, True, -1, 2**63],
    }.items():
        yield from (GOOD | {key: value} for value in values)
    linear = {k: v for k, v in GOOD.items() if k not in ("source", "targets")}
    atom = {"terms": [[0, 1]], "constant": 0}
    for disjuncts in (
        None, [], [[]], [atom], [[1]], [[{"terms": [[0, 1]]}]], [[atom | {"terms": [[0]]}]], [[atom | {"terms": []}]],
        [[atom | {"terms": [["0", 1]]}]], [[atom | {"constant": "0.5"}]], [[atom | {"constant": None}]], [[atom], []],
    ):  # fmt: skip
        yield linear | {"disjuncts": disjuncts}
    for clauses in (None, [], [[]], [[[]]], [[atom]], [[[atom | {"strict": 1}]]], [[[atom | {"strict": True}]]]):
        yield linear | {"clauses": clauses}
    row = {"terms": [[0, 1], [1, 2]], "lower": 0.25, "upper": None}
    for constraint in (
        1, row | {"lower": None}, row | {"lower": 1, "upper": 0}, row | {"terms": [[0, 1]]},
        row | {"terms": [[1, 1], [0, 2]]},
        row | {"terms": [[0, 2], [1, 4]]}, row | {"terms": [[0, 0.5], [1, 1]]}, row | {"terms": [[0, 1], [2, 1]]},
        row | {"terms": [[0, 1], [1, "1" + "0" * 290]]}, {"terms": [[0, 1], [1, 2]]}, row | {"lower": 2.0},
    ):  # fmt: skip
        yield GOOD | {"norm": "box", "radius": None, "constraints": [constraint]}
    yield GOOD | {"constraints": [row]}
    closest = {k: v for k, v in GOOD.items() if k != "strict"} | {"family": "closest"}
    yield from (closest, closest | {"norm": "box", "radius": None, "margin": 1.0})
    yield from (closest | {"margin": value} for value in (0, -1.0, "0.5", None, "1/0"))
    yield from ([], None, 3, "verify", [GOOD])


@pytest.mark.parametrize("document", list(bad_documents()), ids=lambda d: repr(d)[-60:])
def test_a_bad_file_is_one_line_that_names_it(document, tmp_path):
    path = tmp_path / "bad.json"
    path.write_bytes(orjson.dumps(document))
    with pytest.raises(PropertyError, match=r"bad\.json") as caught:
        read_property(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x00\xff\xfejunk",
        orjson.dumps(GOOD)[:-5],
        orjson.dumps(GOOD).replace(b"1.5", b"NaN"),
        orjson.dumps(GOOD).replace(b"1.5", b"Infinity"),
        orjson.dumps(GOOD).replace(b"1.5", b"1e999"),
        orjson.dumps(GOOD).replace(b"1.5", b"1" + b"0" * 400),
        b"[" * 100_000,
        None,
    ],
)
def test_a_file_that_is_not_json_is_one_line_that_names_it(content, tmp_path):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PropertyError, match=r"bad\.json") as caught:
        read_property(path)
    assert "\n" not in str(caught.value)


def test_a_pipe_is_refused_as_a_property(tmp_path):
    os.mkfifo(tmp_path / "bad.json")
    with pytest.raises(PropertyError, match=r"bad\.json: is not a file"):
        read_property(tmp_path / "bad.json")
