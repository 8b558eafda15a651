from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from vnnbench.instances.formulations.milp import MilpBuilder, MilpModel
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.judging.model_comparison import differences
from vnnbench.solvers.base import ModelAsRead
from vnnbench.solvers.registry import get_solver, installed_solvers


@pytest.fixture(scope="module")
def model() -> MilpModel:
    builder = MilpBuilder("t")
    x = builder.add_column("x", -1.5, 2.5)
    d = builder.add_column("d", 0.0, 1.0, integer=True)
    f = builder.add_column("f", -inf, inf)
    builder.set_objective(x, 1 / 3)
    builder.set_objective(f, -0.1)
    builder.offset = 0.7
    builder.add_row("r", "L", 1.1, [x, d], [0.1, -2.0])
    builder.add_row("s", "G", -1.0, [f, x], [1e-8, 3.0])
    builder.add_row("t", "E", 0.0, [d, f], [1.0, 1.0])
    return builder.build()


@pytest.fixture
def read() -> ModelAsRead:
    """Return the same model in another order."""
    return ModelAsRead(
        True, 0.7,
        ["f", "d", "x"], [-inf, 0.0, -1.5], [inf, 1.0, 2.5], [False, True, False], [-0.1, 0.0, 1 / 3],
        ["t", "r", "s"], [0.0, -inf, -1.0], [0.0, 1.1, inf],
        [(0, 0, 1.0), (0, 1, 1.0), (1, 1, -2.0), (1, 2, 0.1), (2, 0, 1e-8), (2, 2, 3.0)],
    )  # fmt: skip


def test_same_program_in_another_order_is_the_same(model, read):
    assert list(differences(model, read)) == []


@pytest.mark.parametrize("solver", installed_solvers())
def test_every_solver_reads_the_file_as_it_is(model, tmp_path, solver):
    path = tmp_path / "t.mps.gz"
    path.write_bytes(compress(mps_text(model)))
    adapter = get_solver(solver)
    if adapter.licence().text.startswith("none usable"):
        pytest.skip(f"{solver}: no licence")
    assert list(differences(model, adapter.read_model(path))) == []


def entry(read: ModelAsRead, place: int, value: tuple[int, int, float]) -> list[tuple[int, int, float]]:
    return [*read.entries[:place], value, *read.entries[place + 1 :]]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda r: {"minimize": False}, "maximization"),
        (lambda r: {"offset": 0.7000000000000001}, "constant is 0.7000000000000001, not 0.7"),
        (lambda r: {"column_names": ["f", "d", "y"]}, "3 columns, not the file's 3, or other names"),
        (lambda r: {"column_names": ["f", "d", "x", "x"]}, "4 columns"),
        (lambda r: {"row_names": ["t", "r"]}, "2 rows"),
        (lambda r: {"column_lower": [0.0, 0.0, -1.5]}, "lower bound of column f is 0.0, not -inf"),
        (lambda r: {"column_upper": [inf, 1.0, 2.6]}, "upper bound of column x is 2.6, not 2.5"),
        (lambda r: {"column_integer": [False, False, False]}, "integrality of column d"),
        (lambda r: {"objective": [-0.1, 0.0, 0.3333333333333333 + 1e-16]}, "objective coefficient of column x"),
        (lambda r: {"row_upper": [0.0, 1.2, inf]}, "row r has the sides -inf, 1.2, not -inf, 1.1"),
        (lambda r: {"row_lower": [-inf, -inf, -1.0]}, "row t has the sides -inf, 0.0"),
        (lambda r: {"entries": r.entries[:-1]}, "5 nonzeros, not 6"),
        (lambda r: {"entries": [*r.entries, r.entries[0]]}, "7 nonzeros, not 6"),
        (lambda r: {"entries": entry(r, 4, (2, 0, 1.0000000000000002e-8))}, "row s, column f"),
        (lambda r: {"entries": entry(r, 5, (2, 1, 3.0))}, "row s, column x: None, not 3.0"),
    ],
)
def test_each_difference_is_named(model, read, change, what):
    (line,) = differences(model, replace(read, **change(read)))
    assert what in line


def test_numbers_of_a_reading_with_a_tolerance_may_be_off_by_that_much(model, read):
    printed = replace(
        read, tolerance=1e-14, offset=0.7 * (1 + 5e-15), entries=entry(read, 4, (2, 0, 1e-8 * (1 - 5e-15)))
    )
    assert list(differences(model, printed)) == []
    assert len(list(differences(model, replace(printed, tolerance=0.0)))) == 2
    assert len(list(differences(model, replace(printed, tolerance=1e-15)))) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"column_lower": [-1e30, 0.0, -1.5]},
        {"column_upper": [inf, inf, 2.5]},
        {"column_integer": [False, False, False]},
        {"objective": [-0.1, 1e-300, 1 / 3]},
        {"row_lower": [1e-300, -inf, -1.0]},
        {"entries": []},
    ],
)
def test_no_tolerance_makes_up_for_a_zero_an_infinity_or_a_missing_entry(model, read, change):
    assert len(list(differences(model, replace(read, tolerance=0.5, **change)))) == 1


@pytest.mark.parametrize("solver", ["cbc", "glpk"])
@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b" UP BOUND x 2.5", b" UP BOUND x 2.6", "upper bound of column x"),
        (b" x r 0.1", b" x r 0.1000000000001", "row r, column x"),
        (b" RHS objective -0.7", b" RHS objective 0.7", "the objective's constant is -0.7"),
        (b" L r", b" G r", "row r has the sides"),
        (b" BV BOUND d", b" UP BOUND d 3.0", "upper bound of column d"),
    ],
)
def test_a_misreading_of_a_program_is_found(model, tmp_path, solver, old, new, what):
    if solver not in installed_solvers():
        pytest.skip(f"{solver} is not installed: {get_solver(solver).needs()}")
    text = mps_text(model)
    assert text.count(old) == 1
    path = tmp_path / "t.mps"
    path.write_bytes(text.replace(old, new))
    assert any(what in line for line in differences(model, get_solver(solver).read_model(path)))
