"""Each solver reads a file as it is, with the precision that it states, and refuses a file that is not a model."""

from __future__ import annotations

import gzip
import random
from math import inf

import pytest

from support.solving import Recorder
from vnnbench.solvers.base import SolveRequest, UnreadableModelError


def as_dictionaries(model):
    """Return columns, rows and entries by name, since solvers keep their own order."""
    columns = {
        name: (lower, upper, integer, cost)
        for name, lower, upper, integer, cost in zip(
            model.column_names,
            model.column_lower,
            model.column_upper,
            model.column_integer,
            model.objective,
            strict=True,
        )
    }
    rows = {
        name: (lower, upper)
        for name, lower, upper in zip(model.row_names, model.row_lower, model.row_upper, strict=True)
    }
    entries = {(model.row_names[row], model.column_names[column]): value for row, column, value in model.entries}
    assert len(entries) == len(model.entries)
    return columns, rows, entries


def as_precise_as(model, read):
    """Return columns, rows and entries by name, with the precision that the reading states."""
    if read.tolerance == 0:
        return as_dictionaries(read) == model
    assert read.tolerance <= 1e-14
    near = lambda values: {name: pytest.approx(value, rel=read.tolerance, abs=0) for name, value in values.items()}  # noqa: E731
    return all(theirs == near(ours) for ours, theirs in zip(model, as_dictionaries(read), strict=True))


def expected(problem):
    columns = {column.name: (column.lower, column.upper, column.integer, column.cost) for column in problem.columns}
    sides = {"L": lambda right: (-inf, right), "G": lambda right: (right, inf), "E": lambda right: (right, right)}
    rows = {row.name: sides[row.sense](row.right) for row in problem.rows}
    entries = {(row.name, name): weight for row in problem.rows for name, weight in row.terms.items()}
    return columns, rows, entries


@pytest.mark.parametrize("name", ["milp", "lp", "unbounded", "big_lp", "knapsacks"])
@pytest.mark.parametrize("compressed", [False, True])
def test_file_is_read_with_the_precision_that_the_solver_states(name, compressed, request, solver, tmp_path):
    problem = request.getfixturevalue(name)
    model = solver.read_model(problem.write(tmp_path, compressed))
    assert model.minimize
    assert model.offset == problem.offset
    assert as_precise_as(expected(problem), model)


def test_random_coefficients_are_read_with_the_precision_that_the_solver_states(milp, solver, tmp_path):
    random_ = random.Random(5)  # noqa: S311
    numbers = [random_.choice((-1, 1)) * random_.uniform(1, 10) * 10.0 ** random_.randint(-7, 5) for _ in range(400)]
    lines = ["NAME bits", "ROWS", " N cost", " L r", "COLUMNS"]
    for place, number in enumerate(numbers):
        lines += [f" x{place} cost {-number!r}", f" x{place} r {number!r}"]
    lines += [
        "RHS",
        " rhs r 0.1",
        "BOUNDS",
        *(f" UP bnd x{place} {abs(n)!r}" for place, n in enumerate(numbers)),
        "ENDATA",
        "",
    ]
    path = tmp_path / "bits.mps"
    path.write_text("\n".join(lines))
    model = solver.read_model(path)
    columns = {f"x{place}": (0.0, abs(n), False, -n) for place, n in enumerate(numbers)}
    entries = {("r", f"x{place}"): number for place, number in enumerate(numbers)}
    assert as_precise_as((columns, {"r": (-inf, 0.1)}, entries), model)


def test_columns_carry_their_names_when_integers_come_last(milp, solver, execute):
    """SCIP puts binaries first, so that names, and not places, say which value belongs to which column."""
    result, recorder = execute(milp)
    values = dict(zip(recorder.names, result.columns, strict=True))
    assert values == pytest.approx({"y": 2.0, "a": 1.0, "b": 1.0, "c": 1.0, "free": -1e-3}, abs=1e-6)


def broken_files(problem, folder):
    text = problem.mps()
    whole = gzip.compress(text.encode(), mtime=0)
    contents = {
        "words.mps": b"this is not\nan mps file\n",
        "empty.mps": b"",
        "cut.mps": text[: text.index("RHS")].encode(),
        "cut.mps.gz": whole[: len(whole) // 2],
        "junk.mps.gz": b"\x00\x01junk" * 50,
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [*(folder / name for name in contents), folder / "missing.mps", folder / "missing.mps.gz"]


def test_unreadable_file_is_one_line_and_nothing_else_is_printed(milp, solver, tmp_path, capfd):
    for path in broken_files(milp, tmp_path):
        with pytest.raises(UnreadableModelError, match=path.name) as caught:
            solver.read_model(path)
        assert "\n" not in str(caught.value) and solver.name in str(caught.value)
        with pytest.raises(UnreadableModelError, match=path.name):
            solver.solve(SolveRequest(path, tmp_path / "solver.log", time_limit_seconds=5.0), Recorder())
    assert capfd.readouterr() == ("", "")


def test_maximization_is_refused(lp, solver, tmp_path):
    path = tmp_path / "max.mps"
    path.write_text(lp.mps().replace("ROWS", "OBJSENSE\n MAX\nROWS"))
    if solver.streams:  # CBC passes over the section, GLPK fails at it: the adapter refuses what it sees itself
        assert not solver.read_model(path).minimize
    with pytest.raises(UnreadableModelError, match="minimize"):
        solver.solve(SolveRequest(path, tmp_path / "solver.log", time_limit_seconds=5.0), Recorder())
