"""Solution files from any source: columns as solvers write them, counterexamples in the format of VNN-COMP, and .npz
files with candidates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vnnbench.common.tolerances import CLAIM_TOLERANCE
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.files import read_plain
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.npz import read_arrays
from vnnbench.instances.properties.s_expressions import Form, Word, parse_forms
from vnnbench.judging.judge import Judge
from vnnbench.solvers.command_line.solution_columns import decimal, quoted
from vnnbench.solvers.command_line.solution_files import Solution, max_bytes, read_columns, text_of_solution

MAX_BYTES = 1 << 28
"""The most bytes of a .npz file with candidates."""
_COUNTEREXAMPLE = re.compile(r"\s*(?:(?:sat|violated)\s*)?(?=\()")
_VARIABLE = re.compile(r"([XY])_(\d{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class FileContent:
    """The candidates in a file and, where it is a solution with every column of the model, these, in their order."""

    candidates: list[Float64Array]
    columns: Float64Array | None = None


def read_candidates(path: Path, judge: Judge) -> list[Float64Array]:
    """Return the candidates in a file, as `read_content` does."""
    return read_content(path, judge).candidates


def read_content(path: Path, judge: Judge) -> FileContent:
    """Read all candidates of a .npz file, or the one in a solution or a counterexample.

    Raises `PropertyError`, one line that names the file and, in a text file, the line.
    """
    n_inputs = len(judge.problem.centre)
    if path.suffix == ".npz":
        return FileContent(list(read_inputs(path, n_inputs)))
    data = read_plain(path, max_bytes(len(judge.model.column_names) + n_inputs), PropertyError)
    try:
        text = text_of_solution(data)
        if found := _COUNTEREXAMPLE.match(text):
            if not isinstance(judge.problem, OverInputSet):
                raise ValueError(f"it is a counterexample, an input; it must be {judge.problem.candidate_text}")
            return FileContent([read_counterexample(text[found.end() :], n_inputs, found[0].count("\n"))])
        return _decoded(text, judge)
    except (PropertyError, ValueError) as error:
        raise PropertyError(f"{path}: {error}") from error


def _decoded(text: str, judge: Judge) -> FileContent:
    names = judge.model.column_names
    # A candidate is decoded from some of the columns, so a file that has these is enough.
    solution = read_columns(text, names, needed=judge.problem.columns_read(names))
    columns = np.array(solution.columns)
    with np.errstate(over="ignore", invalid="ignore"):  # absurd numbers are not confirmed
        if solution.absent:
            _check_zeros(solution, columns, judge.model)
        return FileContent([judge.decoder(names)(columns)], columns if solution.complete else None)


def _check_zeros(solution: Solution, columns: Float64Array, model: MilpModel) -> None:
    """Check that the columns which a file leaves out are zeros: with zeros the objective is the one that the file
    states, and the model is satisfied, both up to `CLAIM_TOLERANCE`, because files have few digits. A file that was cut
    off fails this.

    Raises `ValueError`.
    """
    with_zeros = f"with its {solution.absent} absent columns at 0"
    advice = "it may be cut off, or belong to another instance"
    said, objective = solution.objective, model.objective_value(columns)
    if said is not None and not abs(objective - said) <= CLAIM_TOLERANCE * max(1.0, abs(said)):
        raise ValueError(f"it states the objective {said!r}, but {with_zeros} it is {objective!r}; {advice}")
    violation = model.violation(columns)
    if not violation <= CLAIM_TOLERANCE * max(1.0, float(np.abs(columns).max())):
        raise ValueError(f"{with_zeros} it violates the model by {violation!r}; {advice}")


def read_counterexample(text: str, n_inputs: int, lines_before: int = 0) -> Float64Array:
    """Return the input (n_inputs,) of a counterexample `((X_0 0.75) (X_1 1) (Y_0 0.2))`. Its outputs are ignored.

    Raises `ValueError` with the number of the line, where `lines_before` lines precede the text.
    """
    values: dict[str, float] = {}
    for form in parse_forms("\n" * lines_before + text):
        for pair in form.items if all(isinstance(item, Form) for item in form.items) else (form,):
            match pair:
                case Form((Word(name), Word(word))) if variable := _VARIABLE.fullmatch(name):
                    value = decimal(word)
                case _:
                    raise ValueError(f"line {form.line}: a counterexample has only pairs (X_i value) and (Y_i value)")
            if value is None:
                raise ValueError(f"line {pair.line}: {name} is {quoted(word)}, it must be a finite decimal number")
            if name in values:
                raise ValueError(f"line {pair.line}: {name} has two values")
            values[name] = value
            if variable[1] == "X" and int(variable[2]) >= n_inputs:
                raise ValueError(f"line {pair.line}: {name} is not an input; the inputs are X_0 to X_{n_inputs - 1}")
    absent = [f"X_{i}" for i in range(n_inputs) if f"X_{i}" not in values]
    if absent:
        raise ValueError(f"the counterexample ends without {absent[0]}; it needs X_0 to X_{n_inputs - 1}")
    return np.array([values[f"X_{i}"] for i in range(n_inputs)])


def read_inputs(path: Path, n_inputs: int) -> Float64Array:
    """Return the candidates (k, n_0), float64, in array `inputs` of a .npz file, without unpickling anything.

    Raises `PropertyError`.
    """
    inputs = read_arrays(read_plain(path, MAX_BYTES, PropertyError), str(path), ["inputs"], PropertyError)["inputs"]
    if inputs.dtype.kind != "f" or inputs.ndim != 2 or inputs.shape[1] != n_inputs or not len(inputs):
        raise PropertyError(f"{path}: `inputs` is {inputs.dtype} {inputs.shape}, it must be float64 (k, {n_inputs})")
    return inputs.astype(np.float64)
