"""The check that a property asks for no more than the end of a classifier keeps, see `onnx_files.endings`."""

from __future__ import annotations

from collections.abc import Iterable

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.onnx_files.endings import End, Kept
from vnnbench.instances.progress import NotingProgress
from vnnbench.instances.properties.goals import Atom
from vnnbench.instances.properties.property import Property


def check_end(end: End, parts: Iterable[Property], onnx: str, vnnlib: str, progress: NotingProgress) -> None:
    """Report what was cut off at the end of a network, and check that the answers to the parts of a property are the
    same without it.

    Raises `PropertyError`: a part compares an output with a number, or in another way than the end keeps.
    """
    if not end:
        return
    progress.note(f"{onnx}: its end is cut off: {end}; the problem is about the values before it")
    for part in parts:
        for atom in part.goal.atoms:
            if not _is_kept(atom, end.kept):
                raise PropertyError(
                    f"{vnnlib}: compares {atom} with 0, but {onnx} ends in {end.operators}, which keeps the "
                    f"{end.kept} of outputs only; export the network without its final {end.operators}"
                )


def _is_kept(atom: Atom, kept: Kept) -> bool:
    """Return whether an atom of the outputs has the same value, or for `Kept.ORDER` the same sign, without the end."""
    if kept == Kept.VALUES:
        return True
    is_difference = sum(coefficient for _, coefficient in atom.terms) == 0
    return is_difference and (kept == Kept.DIFFERENCES or (len(atom.terms) == 2 and not atom.constant))
