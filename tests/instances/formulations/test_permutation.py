"""A permuted model is the same model by names, the same bytes for the same key, and every solver reads it so."""

from __future__ import annotations

import gzip
import hashlib
from fractions import Fraction

import numpy as np
import pytest

from support.networks import random_network
from support.properties import make_set, targeted
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.families import problem_of
from vnnbench.instances.formulations.milp import MilpBuilder
from vnnbench.instances.formulations.mps import compress, mps_text, parse_mps, read_mps
from vnnbench.instances.formulations.permutation import permuted_file, permuted_model
from vnnbench.instances.formulations.surrogatelib import encode_surrogatelib
from vnnbench.instances.formulations.tight import encode_tight
from vnnbench.instances.properties.property import ClosestProperty, VerifyProperty
from vnnbench.judging.model_comparison import differences
from vnnbench.solvers.registry import get_solver, installed_solvers


def by_name(model):
    """Return columns, rows and entries by name."""
    columns = dict(
        zip(model.column_names, zip(model.lower, model.upper, model.integer, model.objective, strict=True), strict=True)
    )
    rows = dict(zip(model.row_names, zip(model.senses, model.rhs, strict=True), strict=True))
    starts = model.indptr.tolist()
    entries = {
        (row, model.column_names[model.indices[e]]): model.data[e]
        for i, row in enumerate(model.row_names)
        for e in range(starts[i], starts[i + 1])
    }
    return columns, rows, entries, model.name, model.comments, model.offset


@pytest.fixture
def by_hand():
    builder = MilpBuilder("hand", ["what it asks"])
    for place in range(6):
        builder.add_column(f"x_{place}", -1.0 * place, place + 1.0, integer=place >= 3)
    builder.offset = 1.25
    builder.set_objective(0, -0.5)
    builder.add_row("first", "L", 1.0, range(6), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    builder.add_row("second", "G", -2.0, [5, 0], [7.0, 8.0])
    builder.add_row("empty", "L", 3.0, [], [])
    builder.add_row("third", "E", 0.0, [2, 3], [9.0, -9.0])
    return builder.build()


@pytest.fixture(params=["l1", "closest", "untargeted", "surrogatelib"])
def encoded(request):
    """Models of every kind of column and row that a family writes."""
    network = random_network((12, 6, 6, 3), 9, density=0.8)
    box = make_set(np.random.default_rng(9).integers(0, 256, size=12) / 255, 1.5)
    prop = {
        "closest": ClosestProperty(box, 0, (1, 2), Fraction(1, 4), None, None),
        "untargeted": VerifyProperty(box, 0, (1, 2), True, None, None),
    }.get(request.param, targeted(box))
    if request.param == "surrogatelib":
        return prop, encode_surrogatelib(network, prop, "read").model
    bounds = bound_layers(prop.goal.chain(network), prop.input_set, BoundLevel.BACKWARD)
    return prop, encode_tight(network, prop, bounds, "read").model


def test_rows_and_columns_move_and_nothing_else(by_hand):
    moved = permuted_model(by_hand, "key")
    assert by_name(moved) == by_name(by_hand)
    assert moved.column_names != by_hand.column_names
    assert moved.row_names != by_hand.row_names


def test_integer_columns_that_do_not_stand_together_are_read_back(by_hand):
    moved = permuted_model(by_hand, "blocks")
    text = mps_text(moved)
    assert text.count(b"'INTORG'") == text.count(b"'INTEND'") == 2
    back = parse_mps(text, "memory")
    assert by_name(back) == by_name(by_hand)
    assert back.column_names == moved.column_names
    assert mps_text(back) == text


def test_order_never_changes(by_hand):
    """Runs are resumed by their number: another order under an old number would be another experiment."""
    assert hashlib.sha256(mps_text(permuted_model(by_hand, "key"))).hexdigest()[:16] == "45f7b6bfaa0357b9"


def test_every_key_gives_another_order(by_hand):
    orders = [permuted_model(by_hand, f"key/{k}").column_names for k in range(20)]
    assert len(set(orders)) == 20


def test_file_is_fixed_by_instance_and_number(by_hand):
    files = [permuted_file(by_hand, digest, k) for digest in ("ab" * 32, "cd" * 32) for k in (1, 2)]
    assert len(set(files)) == 4
    assert files[0] == permuted_file(by_hand, "ab" * 32, 1)
    assert all(by_name(parse_mps(gzip.decompress(data), "memory")) == by_name(by_hand) for data in files)


def test_solution_decodes_to_the_same_input(encoded):
    prop, model = encoded
    moved = permuted_model(model, "decode")
    values = dict(zip(model.column_names, np.random.default_rng(0).random(model.n_columns).tolist(), strict=True))
    problem = problem_of(prop)
    at = [problem.decoder(m.column_names)(np.array([values[name] for name in m.column_names])) for m in (model, moved)]
    assert np.array_equal(*at)


def test_every_solver_reads_the_same_model_up_to_order(encoded, tmp_path):
    _, model = encoded
    assert installed_solvers()
    for k in range(3):
        path = tmp_path / f"model-{k}.mps.gz"
        path.write_bytes(compress(mps_text(permuted_model(model, f"read/{k}"))))
        assert by_name(read_mps(path)) == by_name(model)
        for name in installed_solvers():
            assert list(differences(model, get_solver(name).read_model(path))) == [], name
