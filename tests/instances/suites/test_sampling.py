from fractions import Fraction

import numpy as np
import pytest

from vnnbench.instances.datasets.dataset import load_dataset
from vnnbench.instances.errors import SuiteError
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Network
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.properties.property import ClosestProperty
from vnnbench.instances.suites.network_suite import AttackGoal, PropertyPlan
from vnnbench.instances.suites.sampling import (
    MAX_SEEDS,
    draw_problem,
    draw_property,
    draw_radius,
    image_order,
    runner_up,
)

ORDER = [1350, 671, 901, 241]
RADIUS = 4.633923044006345


@pytest.fixture(scope="module")
def nearest_mean(digits):
    """Return a linear classifier, y_k = mean_k . x - |mean_k|^2 / 2, right for nine digits of ten."""
    means = np.array([digits.train_images[digits.train_labels == k].mean(axis=0) for k in range(10)], dtype=np.float64)
    W1, b1 = np.eye(64, dtype=np.float32), np.zeros(64, dtype=np.float32)
    return Network((W1, means.astype(np.float32)), (b1, (-(means**2).sum(axis=1) / 2).astype(np.float32)))


def linear(rows, bias):
    """Return y = rows x + bias on one input, through a ReLU that changes nothing on x >= 0."""
    first = np.ones((1, 1), dtype=np.float32)
    weights = np.array(rows, dtype=np.float32).reshape(-1, 1)
    return Network((first, weights), (np.zeros(1, dtype=np.float32), np.array(bias, dtype=np.float32)))


def test_a_drawn_problem_is_as_in_the_paper(digits, nearest_mean):
    problem = draw_problem(nearest_mean, digits, 5, Norm.L1, (4.5, 5.5))
    outputs = ExactNetwork(nearest_mean).outputs(problem.input_set.centre)
    assert problem.source == digits.train_labels[problem.sample]
    ranking = sorted(range(10), key=lambda k: -outputs[k])
    assert ranking[:2] == [problem.source, problem.target]
    assert (problem.input_set.centre == digits.train_images[problem.sample]).all()
    assert 4.5 <= problem.input_set.radius <= 5.5
    assert (problem.input_set.lower == 0).all()
    assert (problem.input_set.upper == 1).all()
    assert problem.strict
    assert problem.dataset == "digits"
    assert problem.input_set.violation(problem.input_set.centre) == Fraction(0)


def test_the_first_image_of_the_seed_that_is_classified_correctly_is_taken(digits, nearest_mean):
    for seed in range(20):
        places = image_order(digits)[seed :: MAX_SEEDS["digits"]].tolist()
        exact = ExactNetwork(nearest_mean)
        right = [i for i in places if runner_up(exact, digits.train_images[i], digits.train_labels[i]) is not None]
        assert draw_problem(nearest_mean, digits, seed, Norm.L1, (1.0, 2.0)).sample == right[0]


def test_no_two_seeds_share_an_image(digits):
    order = image_order(digits)
    assert sorted(order.tolist()) == list(range(1500))
    classes = [set(order[seed :: MAX_SEEDS["digits"]].tolist()) for seed in range(MAX_SEEDS["digits"])]
    assert sum(len(images) for images in classes) == 1500
    assert min(len(images) for images in classes) == 15


def test_the_order_is_fixed_forever(digits):
    assert image_order(digits)[:4].tolist() == ORDER
    assert draw_radius("digits", 0, (4.5, 5.5)) == RADIUS
    assert (image_order(load_dataset("digits", 4))[:4] != ORDER).any()


def test_radii_fill_the_interval():
    radii = np.array([draw_radius("mnist", seed, (4.5, 5.5)) for seed in range(1000)])
    assert radii.min() >= 4.5
    assert radii.max() <= 5.5
    counts, _ = np.histogram(radii, bins=10, range=(4.5, 5.5))
    assert counts.min() > 70
    assert draw_radius("mnist", 0, (2.0, 2.0)) == 2.0


def test_equal_runners_up_give_the_lower_class():
    network = ExactNetwork(linear([0, 1, 0, 0], [0.5, 0, 0.5, 0.25]))
    assert runner_up(network, np.array([1.0]), 1) == 0


def test_a_source_that_only_draws_level_is_not_classified_correctly():
    network = ExactNetwork(linear([1, 1], [0, 0]))
    assert runner_up(network, np.array([0.5]), 0) is None
    # In float64 both outputs are 1; exactly, the second is larger by 2**-60.
    close = ExactNetwork(linear([1, 1], [0, 2.0**-60]))
    assert runner_up(close, np.array([1.0]), 0) is None
    assert runner_up(close, np.array([1.0]), 1) == 0


def test_a_network_that_classifies_no_image_correctly_is_refused(digits):
    zero = Network(
        (np.zeros((1, 64), dtype=np.float32), np.zeros((10, 1), dtype=np.float32)),
        (np.zeros(1, dtype=np.float32), np.zeros(10, dtype=np.float32)),
    )
    with pytest.raises(SuiteError, match=r"digits, seed 3: .* train for more epochs"):
        draw_problem(zero, digits, 3, Norm.L1, (1.0, 2.0))


# -- goals -----------------------------------------------------------------------------------------------------------


def test_every_goal_asks_about_the_same_image_and_set(digits, nearest_mean):
    targeted, untargeted, closest = (
        draw_property(nearest_mean, digits, 5, PropertyPlan(Norm.LINF, (0.1, 0.2), "name", goal, margin))
        for goal, margin in ((AttackGoal.TARGETED, None), (AttackGoal.UNTARGETED, None), (AttackGoal.CLOSEST, 0.25))
    )
    assert (
        len({(p.sample, p.source, p.input_set.radius, p.input_set.norm) for p in (targeted, untargeted, closest)}) == 1
    )
    others = tuple(k for k in range(10) if k != targeted.source)
    assert len(targeted.targets) == 1 and untargeted.targets == closest.targets == others
    assert isinstance(closest, ClosestProperty) and closest.margin == Fraction(1, 4)
    assert targeted.input_set.norm is Norm.LINF and 0.1 <= targeted.input_set.radius <= 0.2
