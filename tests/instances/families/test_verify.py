from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.networks import make_network, random_network
from support.properties import make_set, targeted
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.families import problem_of, read_problem
from vnnbench.instances.families.base import Problem
from vnnbench.instances.families.over_input_set import round_towards
from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.goals import Atom, margin, one_clause
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import ClosestProperty, LinearProperty, MaximizeProperty, VerifyProperty
from vnnbench.instances.properties.property_file import property_json
from vnnbench.instances.properties.rational_set import rational_set

single = st.floats(0, 1, width=32)


@pytest.fixture(scope="module")
def problem():
    return VerifyProblem(targeted(make_set([0.5, 0.25, 0.75], 0.5)))


# -- decoding --------------------------------------------------------------------------------------------------------


def test_columns_p_and_m_are_steps_from_the_centre(problem):
    decode = problem.decoder(["p_0", "p_1", "p_2", "m_0", "m_1", "m_2"])
    assert decode(np.array([0.25, 0.0, 0.125, 0.0, 0.125, 0.125])).tolist() == [0.75, 0.125, 0.75]


def test_columns_x_are_the_input(problem):
    assert problem.decoder(["x_2", "x_0", "x_1"])(np.array([0.1, 0.2, 0.3])).tolist() == [0.2, 0.3, 0.1]


def test_columns_are_found_by_name_in_any_order_among_others(problem):
    names = ["h_1_0", "m_2", "d_1_0", "objective", "p_0", "y_1", "a_0"]
    assert problem.decoder(names)(np.array([9.0, 0.25, 9, 9, 0.5, 9, 9])).tolist() == [1.0, 0.25, 0.5]


@pytest.mark.parametrize("name", ["x_3", "p_99", "x_", "x", "x_-1", "p_1_0", "x_1.0", "X_1", "xx_1", "x_ 1"])
def test_names_of_other_columns_are_ignored(name, problem):
    assert problem.decoder(["p_0", name])(np.array([0.25, 7.0])).tolist() == [0.75, 0.25, 0.75]


@pytest.mark.parametrize("names", [[], ["h_1_0", "y_0"], ["x_3"], ["a_0", "a_1", "a_2"]])
def test_a_solution_without_input_columns_is_one_line(names, problem):
    with pytest.raises(PropertyError, match="none of the input columns") as caught:
        problem.decoder(names)
    assert "\n" not in str(caught.value)


def test_decoding_leaves_the_centre_and_the_columns_as_they_were(problem):
    columns = np.array([0.25, 0.125])
    decode = problem.decoder(["p_0", "m_0"])
    assert decode(columns).tolist() == decode(columns).tolist() == [0.625, 0.25, 0.75]
    assert problem.centre.tolist() == [0.5, 0.25, 0.75] and columns.tolist() == [0.25, 0.125]


def test_numbers_that_are_not_finite_are_decoded_as_they_are_and_refused_by_the_set(problem):
    candidate = problem.decoder(["p_0"])(np.array([np.nan]))
    assert np.isnan(candidate[0])
    for question in (problem.violation, problem.repair):
        with pytest.raises(PropertyError, match="finite"):
            question(candidate)
    with pytest.raises(ValueError, match="finite"):
        problem.evaluate(ExactNetwork(make_network((np.ones((2, 3)), np.zeros(2)))), candidate)


# -- values ----------------------------------------------------------------------------------------------------------


def test_value_is_target_minus_source_exactly(problem):
    # y = (x_0, x_1 + x_2 / 3): 0.25 + 0.75 * fl32(1/3) - 0.5
    third = float(np.float32(1 / 3))
    network = ExactNetwork(make_network(([[1, 0, 0], [0, 1, third]], [0, 0])))
    assert problem.evaluate(network, problem.centre) == Fraction(third) * Fraction(3, 4) - Fraction(1, 4)


@pytest.mark.parametrize(
    ("value", "strict", "answers"),
    [
        (Fraction(1, 10**400), True, True),
        (Fraction(1, 10**400), False, True),
        (Fraction(0), True, False),
        (Fraction(0), False, True),
        (Fraction(-1, 10**400), True, False),
        (Fraction(-1, 10**400), False, False),
    ],
)
def test_a_counterexample_exceeds_zero_or_reaches_it_when_not_strict(value, strict, answers):
    assert VerifyProblem(targeted(make_set([0.5], 1.0), strict=strict)).answers(value) is answers


@pytest.mark.parametrize(
    ("bound", "rounding", "strict", "excludes"),
    [
        (-1e-9, 0.0, True, True),
        (-1e-9, 1e-9, True, True),  # at most 0, and 0 does not answer
        (-1e-9, 1e-9, False, False),
        (-1e-9, 2e-9, True, False),
        (0.0, 0.0, True, True),
        (0.0, 0.0, False, False),
        (5e-324, 0.0, True, False),
        (-5e-324, 0.0, False, True),
        (-1.0, 1.0 - 2**-53, False, True),  # their sum is not rounded to 0
        (3.0, 0.0, True, False),
    ],
)
def test_a_bound_excludes_answers_only_with_its_rounding(bound, rounding, strict, excludes):
    problem = VerifyProblem(targeted(make_set([0.5], 1.0), strict=strict))
    assert problem.excludes(bound, rounding) is excludes


def test_without_threshold_nothing_answers_and_nothing_is_excluded():
    problem = VerifyProblem(targeted(make_set([0.5], 1.0)))
    problem.threshold = None
    assert not problem.answers(Fraction(10)) and not problem.excludes(-10.0, 0.0)


def test_the_problem_is_read_from_its_property_file(tmp_path):
    prop = targeted(make_set([0.5, 0.25], 0.5), source=1, target=0, strict=False)
    path = tmp_path / "p.json"
    path.write_bytes(property_json(prop))
    problem = read_problem(path)
    assert isinstance(problem, Problem) and problem.family == "verify"
    assert (problem.threshold, problem.strict, problem.centre.tolist()) == (0.0, False, [0.5, 0.25])
    assert problem.violation(np.array([0.5, 1.25])) == Fraction(1, 2)
    assert problem.violation(problem.repair(np.array([0.5, 1.25]))) == 0


# -- as deployed -----------------------------------------------------------------------------------------------------


def test_deployed_value_is_float32_and_must_beat_every_class():
    network = make_network(([[1, 0], [0, 1], [0, 0]], [0, 0, 0]), ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 0, 0.25]))
    problem = VerifyProblem(targeted(make_set([0.5, 0.25], 2.0)))
    runtime = OnnxRuntime(onnx_bytes(network))
    lost, won, third_wins, tie = (
        problem.evaluate_deployed(runtime, np.array(x)) for x in ([0.5, 0.25], [0.5, 1.0], [0.0, 0.125], [0.5, 0.5])
    )
    assert (lost.value, lost.beats_all) == (-0.25, False)
    assert (won.value, won.beats_all) == (0.5, True)
    assert (third_wins.value, third_wins.beats_all) == (0.125, False)
    assert (tie.value, tie.beats_all) == (0.0, False)


def test_the_deployed_value_of_several_targets_is_the_best_ones():
    network = make_network(([[1, 0], [0, 1], [0, 0]], [0, 0, 0.25]))
    s = make_set([0.5, 0.25], 2.0)
    problem = VerifyProblem(VerifyProperty(s, 0, (1, 2), True, None, None))
    runtime = OnnxRuntime(onnx_bytes(network))
    found = problem.evaluate_deployed(runtime, np.array([0.125, 0.5]))
    assert (found.value, found.beats_all) == (0.375, True)
    found = problem.evaluate_deployed(runtime, np.array([0.125, 0.25]))  # classes 1 and 2 are equal
    assert (found.value, found.beats_all) == (0.125, False)
    assert problem.facts()["target"] is None and problem.facts()["source"] == 0
    lone = VerifyProblem(VerifyProperty(s, 2, (1,), True, None, None))
    assert lone.facts()["target"] == 1


def test_a_question_from_vnnlib_has_a_value_and_no_classes():
    network = make_network(([[1, 0], [0, 1]], [0, 0]))
    half, tenth = Fraction(1, 2), Fraction(1, 10)
    goal = one_clause(((margin(1, 0), Atom(((0, half),), -tenth)), (Atom(((1, Fraction(-1)),)),)))
    problem = problem_of(LinearProperty(make_set([0.5, 0.25], 2.0), goal, False, None, None))
    x = np.array([0.25, 0.75])
    assert problem.evaluate(ExactNetwork(network), x) == Fraction(1, 8) - tenth
    assert problem.answers(Fraction(0)) and not problem.answers(Fraction(-1, 10**9))
    deployed = problem.evaluate_deployed(OnnxRuntime(onnx_bytes(network)), x)
    assert deployed.value == pytest.approx(0.025, abs=1e-12) and deployed.beats_all is None
    facts = problem.facts()
    assert (facts["family"], facts["source"], facts["target"], facts["threshold"]) == ("verify", None, None, 0.0)


def test_a_strict_atom_at_its_bound_leaves_a_point_without_a_value():
    network = make_network(([[1, 0], [0, 1]], [0, 0]))
    strict, least = Atom(((0, Fraction(1)),), -Fraction(1, 4), strict=True), Atom(((1, Fraction(1)),), -Fraction(1, 2))
    problem = problem_of(LinearProperty(make_set([0.5, 0.5], 2.0), one_clause(((strict, least),)), False, None, None))
    exact = ExactNetwork(network)
    assert problem.evaluate(exact, np.array([0.5, 0.5])) == 0  # the atom at 0 is not the strict one
    assert problem.evaluate(exact, np.array([0.25, 0.75])) is None
    assert problem.evaluate(exact, np.array([0.25, 0.25])) == -Fraction(1, 4)
    assert problem.replay(exact, np.array([0.25, 0.75])) == 0
    assert problem.answers(Fraction(0)) and not problem.excludes(0.0, 0.0)


def test_inputs_at_decimals_are_evaluated_exactly_and_deployed_at_their_nearest_float():
    tenth = Fraction(1, 10)
    network = make_network(([[1, 1], [0, 1]], [0, 0]))
    s = rational_set([(tenth, tenth), (Fraction(0), Fraction(1))])
    goal = one_clause(((Atom(((0, Fraction(1)),), -tenth - Fraction(1, 4)),),))
    problem = problem_of(LinearProperty(s, goal, False, None, None))
    x = np.array([77.0, 0.25])  # the first number is not read
    assert problem.violation(x) == 0 and problem.repair(x) is x
    assert problem.evaluate(ExactNetwork(network), x) == 0
    evaluator = problem.evaluators({"network": onnx_bytes(network), "dense_network": onnx_bytes(network)}).original
    outputs = evaluator.outputs(x)
    assert outputs.exact == [tenth + Fraction(1, 4), Fraction(1, 4)]
    assert outputs.float32.tolist() == [np.float32(0.1) + np.float32(0.25), 0.25]
    assert evaluator.deployed(x).value == pytest.approx(0.0, abs=1e-7)


def test_a_set_of_one_point_is_decoded_from_columns_of_other_things():
    tenth = Fraction(1, 10)
    goal = one_clause(((Atom(((0, Fraction(1)),)),),))
    problem = problem_of(LinearProperty(rational_set([(tenth, tenth)] * 2), goal, False, None, None))
    assert problem.decoder(["t"])(np.array([3.0])).tolist() == [0.1, 0.1]


@given(
    pixels=st.lists(st.tuples(single, st.floats(-1, 1)), min_size=1, max_size=6),
    radius=st.floats(2.0**-140, 3),
)
@settings(max_examples=300, deadline=None)
def test_rounding_to_float32_stays_exactly_in_the_set(pixels, radius):
    centre = np.array([c for c, _ in pixels])
    s = InputSet(Norm.L1, centre, radius, np.zeros_like(centre), np.ones_like(centre))
    x = s.repair(centre + [step for _, step in pixels])
    rounded = round_towards(x, centre)
    assert rounded.dtype == np.float32
    assert s.violation(rounded.astype(np.float64)) == 0
    # Towards the centre, and by less than one float32.
    nearest = np.abs(rounded.astype(np.float64) - x)
    assert (nearest <= np.abs(np.nextafter(rounded, np.float32(2)).astype(np.float64) - rounded) * 1.01 + 2e-45).all()


@pytest.mark.parametrize(
    ("x", "centre", "rounded"),
    [
        (0.5 + 2**-30, 0.25, 0.5),
        (0.5 - 2**-30, 0.25, 0.5 - 2**-25),  # float32 below 1/2 are 2**-25 apart
        (0.5 - 2**-30, 0.75, 0.5),
        (0.5 + 2**-30, 0.75, 0.5 + 2**-24),
        (0.5, 0.25, 0.5),
        (1e-60, 0.0, 0.0),
        (-1e-60, 0.0, 0.0),
        (1e-60, 1.0, 2.0**-149),  # away from 1 would be outside by 1e-60, which 1 - x cannot see
        (1.0, 1.0, 1.0),
    ],
)
def test_rounding_to_float32_by_hand(x, centre, rounded):
    assert round_towards(np.array([x]), np.array([centre])).tolist() == [rounded]


@pytest.mark.parametrize(
    ("x", "centre", "rounded"),
    [
        (0.5 - 2**-20, 0.25, 0.5 - 2**-12),  # float16 below 1/2 are 2**-12 apart
        (0.5 - 2**-20, 0.75, 0.5),
        (1e6, 0.0, 65504.0),  # the largest float16
    ],
)
def test_rounding_to_float16_by_hand(x, centre, rounded):
    result = round_towards(np.array([x]), np.array([centre]), np.float16)
    assert (result.dtype, result.tolist()) == (np.float32, [rounded])


def test_a_network_of_other_inputs_or_too_few_outputs_is_refused():
    problem = VerifyProblem(targeted(make_set([0.5, 0.5], 1.0), source=0, target=3))
    for widths in ((2, 3, 3), (3, 3, 4)):
        with pytest.raises(
            PropertyError, match=f"2 inputs and output 3, but the network has {widths[0]} inputs and outputs"
        ):
            problem.evaluate(ExactNetwork(random_network(widths, 0)), problem.centre)


def test_every_family_says_its_question_in_words():
    s = make_set([0.5, 0.5], 1.5)
    closest = problem_of(ClosestProperty(s, 0, (1, 2), Fraction(1, 10), None, None))
    assert closest.question() == (
        "how near to the centre is there an x with y_1 - y_0 >= 0.1 or y_2 - y_0 >= 0.1, "
        "over 2 inputs x within their bounds, |x - centre|_1 <= 1.5"
    )
    largest = problem_of(MaximizeProperty(s, 2, None, None))
    assert largest.question().startswith("how large can y_2 get, over 2 inputs")
    strict = problem_of(VerifyProperty(s, 0, (1,), True, None, None))
    assert strict.question().startswith("is there an x with y_1 - y_0 > 0, over 2 inputs")
