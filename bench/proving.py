"""Proving the answers of a library: each problem by itself in a worker, and every proof checked before it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from vnnbench.instances.errors import LibraryError, NetworkError, ProofError, PropertyError
from vnnbench.instances.generation.workers import workers
from vnnbench.instances.library.answer_additions import GrowingAnswers, adding_answers
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proven_answers import ProvenProblem
from vnnbench.instances.progress import NotingProgress
from vnnbench.instances.proofs.proof_file import parse_proof
from vnnbench.prover.device import device_named
from vnnbench.prover.problems import prove_problem


@dataclass(frozen=True, slots=True)
class Proved:
    """The proven answers of the selected problems. problems: how many were selected; rejected: what is wrong with
    proofs that the prover made and the checker did not accept, a line each."""

    problems: int
    answers: list[ProvenProblem]
    rejected: list[str]


def prove_library(
    library: Library, select: Sequence[str], seconds: float, jobs: int, device: str, progress: NotingProgress
) -> Proved:
    """Prove answers to the problems of the selected instances, and add them to the library.

    seconds: for each problem. device: "cpu" or "cuda". A problem that is decided already, and whose proof is intact, is
    left as it is. Raises `InputError`: nothing is selected that has proofs, the library cannot be read or written,
    another process adds answers, or the device does not exist or fails.
    """
    device_named(device)  # raises before anything is written
    names = list(dict.fromkeys(row.problem for row in library.select(select) if row.dense_network is not None))
    if not names:
        raise LibraryError(f"{library.folder}: none of the selected problems is about a given network")
    rejected = []
    with adding_answers(library) as answers, workers(jobs) as submit:
        todo = [name for name in names if not answers.is_decided(name)]
        progress.start(len(names), len(names) - len(todo))
        pending: dict[Future[tuple[bytes | None, float]], str] = {
            submit(prove_problem, library.folder, name, seconds, device): name for name in todo
        }
        while pending:
            for future in wait(pending, return_when=FIRST_COMPLETED)[0]:
                name = pending.pop(future)
                try:
                    _add(answers, name, *future.result())
                except (NetworkError, PropertyError) as error:
                    progress.note(f"{name} is left out: {error}")
                except ProofError as error:
                    rejected.append(f"{name}: {error}")
                progress.advance(name)
        return Proved(len(names), [answers.problems[name] for name in names if name in answers.problems], rejected)


def _add(answers: GrowingAnswers, name: str, data: bytes | None, seconds: float) -> None:
    """Add a proof, if one was found. Raises `ProofError`: the checker rejects it."""
    if data is not None:
        answers.add(parse_proof(data, name), seconds)
