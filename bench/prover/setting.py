"""What searches are about: a question, the network in the forms that they need, and what they are after."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Part, Question
from vnnbench.instances.proofs.reading import Bounds
from vnnbench.prover.aim import Aim
from vnnbench.prover.device import CPU, Device
from vnnbench.prover.goal import SearchGoal
from vnnbench.prover.relaxed import RelaxedNetwork


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """A question about a network. network: its relaxation over the whole set, or over a part of it, perhaps without
    neurons that are off there."""

    question: Question
    chain: Chain
    network: RelaxedNetwork
    goal: SearchGoal
    aim: Aim

    @classmethod
    def of(cls, question: Question, network: Layered, aim: Aim, device: Device = CPU) -> Setting:
        """Raises `NetworkError`: the layers are too large for dense matrices; `PropertyError`: the goal has too many
        atoms."""
        chain = Chain(network)
        return cls(question, chain, RelaxedNetwork(chain, question.whole, device), SearchGoal(question, chain), aim)

    def within(self, part: Part) -> Setting:
        """Return the same over a part of the set."""
        return replace(self, network=self.network.within(part))

    def without_off(self, bounds: Bounds) -> Setting:
        """Return the same without the neurons that are off with these bounds."""
        return replace(self, network=self.network.without_off(bounds, len(self.chain.layers)))
