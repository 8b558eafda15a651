"""The paths of the files of a library, which are defined once, and the largest size of each kind."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from vnnbench.instances.layout import (
    ANSWERS,
    CATALOG,
    PROOFS_MANIFEST,
    SEALED,
    is_model,
    is_network,
    is_waiting,
    model_file,
    most_bytes,
    network_file,
    next_proof_file,
    picture_file,
    proof_file,
    property_file,
    vnnlib_file,
)
from vnnbench.instances.limits import (
    MAX_ANSWERS_BYTES,
    MAX_CATALOG_BYTES,
    MAX_LIBRARY_FILE_BYTES,
    MAX_PICTURE_BYTES,
    PROOFS_LIMIT,
    PROPERTY_LIMIT,
    SEAL_LIMIT,
)

ROOT = Path(__file__).parents[2]
FOLDERS = ("networks/", "properties/", "models/", "pictures/", "proofs/")


def test_paths_are_those_of_the_design():
    assert [network_file("d"), property_file("d-l1"), model_file("d-l1--tight"), picture_file("d-l1")] == [
        "networks/d.onnx",
        "properties/d-l1.json",
        "models/d-l1--tight.mps.gz",
        "pictures/d-l1.png",
    ]
    assert vnnlib_file(property_file("d-l1")) == "properties/d-l1.vnnlib"
    assert is_network(network_file("d")) and not is_network(property_file("d"))
    assert proof_file("d-l1") == "proofs/d-l1.npz"
    assert is_model(model_file("d")) and not is_model(network_file("d"))


@pytest.mark.parametrize(
    ("relative", "most"),
    [
        (property_file("p"), PROPERTY_LIMIT.bytes),
        (vnnlib_file(property_file("p")), MAX_LIBRARY_FILE_BYTES),
        (picture_file("p"), MAX_PICTURE_BYTES),
        (network_file("n"), MAX_LIBRARY_FILE_BYTES),
        (model_file("i"), MAX_LIBRARY_FILE_BYTES),
        (CATALOG, MAX_CATALOG_BYTES),
        (SEALED, SEAL_LIMIT.bytes),
        (ANSWERS, MAX_ANSWERS_BYTES),
        (PROOFS_MANIFEST, PROOFS_LIMIT.bytes),
        (proof_file("p"), MAX_LIBRARY_FILE_BYTES),
    ],
)
def test_a_file_is_as_large_as_its_kind_may_be(relative, most):
    assert most_bytes(relative) == most


def test_a_file_that_waits_has_another_name_than_every_file_of_the_answers():
    for relative in (ANSWERS, proof_file("answers.csv"), proof_file("d.next")):
        assert is_waiting(next_proof_file(relative)) and not is_waiting(relative)
    assert next_proof_file(ANSWERS) != next_proof_file(proof_file("answers.csv"))
    assert not is_waiting("models/d.next")


def test_paths_of_a_library_are_defined_in_one_source():
    spelled = {
        str(source.relative_to(ROOT))
        for package in ("bench", "instances")
        for source in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(FOLDERS)
    }
    assert spelled == {"instances/layout.py"}
