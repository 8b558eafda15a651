"""The draw of a seed's problem, as in [P]: its training image, classes, radius and goal.

It is fixed by data set, side and seed, and depends on the network only where necessary:

    image    the training images have one fixed order per data set and side; seed s tries the places s, s + N,
             s + 2 N, ..., N = MAX_SEEDS, and takes the first image that the network classifies correctly. So no two
             seeds of an architecture share an image, and most architectures have the same ones.
    source   its label, which strictly beats every other class, in exact arithmetic
    target   the runner-up class, the lower of equal ones; or, if the goal is not targeted, every other class
    radius   uniform in the suite's interval, the same for every architecture and side

The random draws are those of `randomness`.
Source: [P] Pham et al. 2025, arXiv:2505.01985, section 4: L1 radius in [4.5, 5.5], pixels in [0, 1], the goal that the
runner-up class wins.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.datasets.dataset import Dataset
from vnnbench.instances.errors import SuiteError
from vnnbench.instances.families.maximize import unit_box_property
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Network
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import ClosestProperty, Property, VerifyProperty
from vnnbench.instances.randomness import random_permutation, unit_interval
from vnnbench.instances.suites.network_suite import AttackGoal, PropertyPlan

MAX_SEEDS = {"digits": 100, "mnist": 1000, "fashion-mnist": 1000}
"""The number of seeds of a data set: each has 15 images of the digits, 60 of MNIST and of Fashion-MNIST."""


def draw_property(network: Network, dataset: Dataset | None, seed: int, plan: PropertyPlan) -> Property:
    """Return the property of a seed on a dense network; without a data set it is over the unit box.

    Raises SuiteError as `draw_problem` does.
    """
    if dataset is None or plan.radius is None:
        return unit_box_property(network.n_inputs)
    drawn = draw_problem(network, dataset, seed, plan.norm, plan.radius)
    others = tuple(k for k in range(network.n_outputs) if k != drawn.source)
    match plan.goal:
        case AttackGoal.TARGETED:
            return drawn
        case AttackGoal.UNTARGETED:
            return replace(drawn, targets=others)
        case AttackGoal.CLOSEST:
            assert plan.margin is not None  # noqa: S101 - a suite with this goal has a margin
            margin = Fraction(plan.margin)
            return ClosestProperty(drawn.input_set, drawn.source, others, margin, drawn.dataset, drawn.sample)


def draw_problem(
    network: Network, dataset: Dataset, seed: int, norm: Norm, radius: tuple[float, float]
) -> VerifyProperty:
    """Return the targeted property of a seed on a dense network; `strict`, threshold 0, box [0, 1].

    Raises SuiteError when the network classifies none of the seed's images correctly: it needs more training.
    """
    exact = ExactNetwork(network)
    for sample in image_order(dataset)[seed :: MAX_SEEDS[dataset.name]].tolist():
        centre = dataset.train_images[sample].astype(np.float64)
        source = int(dataset.train_labels[sample])
        target = runner_up(exact, centre, source)
        if target is not None:
            return VerifyProperty(
                input_set=InputSet(
                    norm, centre, draw_radius(dataset.name, seed, radius), np.zeros(len(centre)), np.ones(len(centre))
                ),
                source=source,
                targets=(target,),
                strict=True,
                dataset=dataset.name,
                sample=sample,
            )
    raise SuiteError(
        f"{dataset.name}, seed {seed}: the network classifies none of its images correctly; "
        "train for more epochs, or at another learning rate"
    )


def runner_up(network: ExactNetwork, image: Float64Array, source: int) -> int | None:
    """Return the class of the largest output except `source`, the lower of equal ones; None unless `source` wins."""
    outputs, _ = network.integer_outputs(image)
    others = [k for k in range(len(outputs)) if k != source]
    best = max(others, key=lambda k: outputs[k])  # the first of equal ones
    return best if outputs[source] > outputs[best] else None


def image_order(dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return a permutation (n,) of the training images, fixed by data set, side and their number."""
    return random_permutation(f"{dataset.name}/{dataset.side}/images", len(dataset.train_labels))


def draw_radius(dataset: str, seed: int, radius: tuple[float, float]) -> float:
    """Return a radius, uniform in `radius` (lowest, highest), fixed by data set and seed."""
    share = float(unit_interval(f"{dataset}/{seed}/radius", 1)[0])
    lowest, highest = radius
    return min(lowest + (highest - lowest) * share, highest)
