"""The checker of proofs. It recomputes every bound from the network, the property and the choices in the proof.

Nothing in a proof is believed: any choice of slopes and multipliers gives a bound that holds (weak duality), and the
checker computes which one. Most bounds are decided in float64, above the exact bound by a proven rounding error; the
few that meet their limit are computed exactly. What cannot be shown is rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import ProofError
from vnnbench.instances.families import problem_of
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.pass_bounds import PassBounds
from vnnbench.instances.proofs.proof_file import Claim, Proof
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import Pass, TreeReader
from vnnbench.instances.properties.property import ClosestProperty, Property

_NUMBERS_AT_A_TIME = 1 << 20
"""The coefficients that all passes go through that are read before they are checked."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a proof shows, all of it checked.

    lower: the exact value of the problem at the witness; None without one. excluded: no input of the set meets the goal
    (for `closest`, none within the proof's radius). upper: no value exceeds it; without a tree 0 for `closest`, whose
    value is minus a distance, else None. leaves, bounds: the numbers of leaves of the main tree and of bounds of
    pre-activations.
    """

    lower: Fraction | None
    excluded: bool
    upper: Fraction | None
    leaves: int
    bounds: int


def check_proof(proof: Proof, prop: Property, network: Layered) -> Checked:
    """Return what a proof shows about a property of a network. Raises `ProofError`: it does not show what it claims."""
    chain = Chain(network)
    if prop.input_set.n_inputs != chain.n_inputs or prop.goal.last_output >= chain.n_outputs:
        raise ProofError("the network does not have the inputs and outputs of the property")
    lower = None if not len(proof.witness) else _value_at_witness(proof, prop, network)
    if proof.claim is None:
        if lower is None:
            raise ProofError("the proof has neither a witness nor a tree")
        return Checked(lower, False, Fraction(0) if isinstance(prop, ClosestProperty) else None, 0, 0)
    question = Question.of(proof, prop)
    reader = TreeReader(proof.tree, question, chain)
    pass_bounds = PassBounds(question, chain, reader.root)
    for together in _batches(reader.passes(), chain):
        bounds, shown = pass_bounds.shown(together)
        if not shown.all():
            raise ProofError(_not_shown(together, bounds, int(shown.argmin())))
    upper = Fraction(0) if proof.upper is None else Fraction(proof.upper)
    if proof.radius is not None:
        upper = -Fraction(proof.radius)
    return Checked(lower, proof.claim is Claim.EXCLUDED, upper, reader.n_leaves, reader.n_bounds)


def _value_at_witness(proof: Proof, prop: Property, network: Layered) -> Fraction:
    """Return the exact value at the witness, which must be in the set."""
    problem = problem_of(prop)
    if len(proof.witness) != prop.input_set.n_inputs or problem.violation(proof.witness) != 0:
        raise ProofError("the witness is not in the set")
    value = problem.evaluate(ExactNetwork(network), proof.witness)
    if value is None:
        raise ProofError("the problem has no value at the witness")
    return value


def _not_shown(passes: Sequence[Pass], bounds: Float64Array, number: int) -> str:
    """Return a message about one of all functions of the passes."""
    functions = [(one, row) for one in passes for row in range(len(one.function))]
    one, row = functions[number]
    bound, limit = bounds[number], one.limits[row]
    return f"{one.function.name(row)} is not shown: a pass gives {bound:.9g}, not {limit:.9g} or less"


def _batches(passes: Iterator[Pass], chain: Chain) -> Iterator[list[Pass]]:
    """Yield the passes in lists of the same depth."""
    waiting: dict[int, list[Pass]] = {}
    for one in passes:
        together = waiting.setdefault(one.depth, [])
        together.append(one)
        if len(together) * (chain.n_inputs + chain.starts[one.depth]) >= _NUMBERS_AT_A_TIME:
            yield waiting.pop(one.depth)
    yield from waiting.values()
