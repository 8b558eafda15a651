"""Planting answers: trained networks are changed so that one of their problems has a known answer.

One number is changed, the output bias of the clean image's class. It shifts the problem's value, max over targets of
y_target - y_source, by the same amount at every point of the set:

    adversarial   the largest value that the ascent found becomes a small positive part of its height over the centre
    robust        a proven upper bound of the value over the set becomes the same amount below 0

Then everything is computed again on the network as stored, in float32: the exact value at that point, the bound with
its proof, and the accuracy; and the seed must draw the same property from it. If this fails, the next network is tried.
All other networks of the group get a shift without meaning, so that retraining, which shows which networks were
changed, shows all of them.

The key decides which networks, properties and shifts are used. Only a solver that finds the answer can see that it was
planted: the margins are those of an ordinary problem that is nearly even.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from vnnbench.instances.bounds.levels import BoundLevel, value_bound
from vnnbench.instances.datasets.dataset import Dataset
from vnnbench.instances.errors import SuiteError
from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.generation.frank_wolfe import ascend
from vnnbench.instances.library.sealed_answers import PlantedAnswer, PlantedCounterexample, PlantedRobustness
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Network, accuracy, drop_tiny_weights
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.instances.properties.property_file import property_json
from vnnbench.instances.randomness import random_permutation, unit_interval
from vnnbench.instances.rationals import float_below
from vnnbench.instances.suites.network_suite import AttackGoal, Group, NetworkSuite, PropertyPlan
from vnnbench.instances.suites.sampling import draw_property

MARGIN = 2.0**-8
"""The distance of the planted value or bound from 0, as a share of its height over the value at the centre.

It is far beyond every solver's tolerance, and the answer is rarely found by chance (on digits by at most one random
corner of the ball in a hundred)."""
ACCURACY_LOSS = 0.02
"""The largest loss of test accuracy by a change, as a share of the test images."""

_LEVEL = BoundLevel.SPLIT
_DECOY, _HALVINGS = 0.9, 6


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """A network of the group after planting, with the problem's name and answer, or None if nothing was planted."""

    network: Network
    problem: str | None = None
    answer: PlantedAnswer | None = None


def plant(suite: NetworkSuite, group: Group, networks: Sequence[Network], dataset: Dataset, key: str) -> list[Planted]:
    """Change the dense networks of a group, in the order of its seeds, as the suite's `planted` says.

    The same arguments give the same networks with the same versions on the same CPU type, whatever the number of
    threads. Raises SuiteError if answers can be planted in too few of them.
    """
    if suite.planted is None:
        raise ValueError(f"suite {suite.name} does not plant answers")
    order = random_permutation(f"{key}/{group.name}/order", len(networks)).tolist()
    done: dict[int, Planted] = {}
    with threadpool_limits(limits=1, user_api="blas"):
        for make, wanted in ((_adversarial, suite.planted.counterexample), (_robust, suite.planted.robust)):
            missing = wanted
            for place in order:
                if missing and place not in done:
                    planted = _first(make, _sites(suite, group, place, networks[place], dataset, key))
                    if planted is not None:
                        done[place] = planted
                        missing -= 1
            if missing:
                raise SuiteError(
                    f"suite {suite.name}: only {wanted - missing} of {wanted} answers "
                    f"({make.__name__.removeprefix('_')}) can be planted in {group.name} at an accuracy loss of at "
                    f"most {ACCURACY_LOSS:g}; plant fewer, or give the suite more seeds"
                )
        for place in order:
            if place not in done:
                done[place] = _decoy(_sites(suite, group, place, networks[place], dataset, key)[0], key)
    return [done[place] for place in range(len(networks))]


@dataclass(frozen=True, slots=True, eq=False)
class _Site:
    """A network with one of its properties."""

    group: Group
    seed: int
    network: Network
    plan: PropertyPlan
    prop: VerifyProperty
    dataset: Dataset

    @property
    def problem(self) -> str:
        return f"{self.group.network(self.seed)}-{self.plan.name}"

    @property
    def centre_value(self) -> float:
        problem = VerifyProblem(self.prop)
        return float(problem.goal_value(ExactNetwork(self.network), problem.centre))

    def shifted(self, shift: float) -> Network | None:
        """Return the network with its value shifted, up to the rounding to float32.

        It is None if the accuracy falls too much, or the seed draws another property.
        """
        biases = list(self.network.biases)
        last = biases[-1].astype(float)
        last[self.prop.source] -= shift
        biases[-1] = drop_tiny_weights(last.astype(biases[-1].dtype))
        changed = Network(self.network.weights, tuple(biases))
        if self._accuracy(changed) < self._accuracy(self.network) - ACCURACY_LOSS:
            return None
        drawn = draw_property(changed, self.dataset, self.seed, self.plan)
        return changed if property_json(drawn) == property_json(self.prop) else None

    def _accuracy(self, network: Network) -> float:
        return accuracy(network, self.dataset.test_images, self.dataset.test_labels)


def _sites(suite: NetworkSuite, group: Group, place: int, network: Network, dataset: Dataset, key: str) -> list[_Site]:
    """Return a site for each property of the network that has an answer to plant, in an order drawn by the key."""
    seed = group.seeds[place]
    plans = [plan for plan in suite.properties() if plan.goal is not AttackGoal.CLOSEST]
    sites = []
    for number in random_permutation(f"{key}/{group.network(seed)}/property", len(plans)).tolist():
        prop = draw_property(network, dataset, seed, plans[number])
        if not isinstance(prop, VerifyProperty):
            raise TypeError(f"{group.network(seed)}-{plans[number].name} has no answer to plant")
        sites.append(_Site(group, seed, network, plans[number], prop, dataset))
    return sites


def _first(make: Callable[[_Site], Planted | None], sites: Sequence[_Site]) -> Planted | None:
    return next((planted for site in sites if (planted := make(site)) is not None), None)


def _adversarial(site: _Site) -> Planted | None:
    """Plant a counterexample just above 0."""
    problem = VerifyProblem(site.prop)
    x = ascend(site.network, site.prop, f"{site.problem}/ascent")
    highest = float(problem.goal_value(ExactNetwork(site.network), x))
    changed = site.shifted(MARGIN * (highest - site.centre_value) - highest)
    if changed is None:
        return None
    value = problem.goal_value(ExactNetwork(changed), x)
    if not problem.answers(value):
        return None
    return Planted(changed, site.problem, PlantedCounterexample(float_below(value), tuple(x.tolist())))


def _robust(site: _Site) -> Planted | None:
    """Plant a proven bound just below 0."""
    bound = value_bound(site.network, site.prop, _LEVEL)
    changed = site.shifted(-bound - MARGIN * (bound - site.centre_value))
    if changed is None:
        return None
    proven = value_bound(changed, site.prop, _LEVEL)
    return Planted(changed, site.problem, PlantedRobustness(proven, _LEVEL)) if proven < 0 else None


def _decoy(site: _Site, key: str) -> Planted:
    """Apply a shift drawn by the key that keeps the centre's class, halved until nothing else changes, or none."""
    share = float(unit_interval(f"{key}/{site.problem}/shift", 1)[0])
    shift = _DECOY * (2 * share - 1) * abs(site.centre_value)
    tried = (site.shifted(shift * 0.5**halvings) for halvings in range(_HALVINGS))
    return Planted(next((network for network in tried if network is not None), site.network))
