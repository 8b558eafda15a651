"""The limits leave room for the largest file that each is meant for, and packages that share one agree."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import numpy as np
import pytest

from vnnbench import limits as bench_limits
from vnnbench.instances import limits
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import excess_of_json, parse_json
from vnnbench.instances.layout import proof_file
from vnnbench.instances.library.catalog import CatalogRow, catalog_bytes
from vnnbench.instances.library.library import manifest_bytes
from vnnbench.instances.library.proven_answers import (
    ProvenAnswer,
    ProvenProblem,
    answers_bytes,
    proofs_manifest_bytes,
)
from vnnbench.instances.limits import (
    MANIFEST_LIMIT,
    MAX_INPUTS,
    MAX_INSTANCES,
    PROOFS_LIMIT,
    PROPERTY_LIMIT,
    JsonLimit,
)
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.instances.properties.property_file import property_json
from vnnbench.isolation.protocol import MAX_COLUMNS, MAX_HEADER_BYTES, MAX_NAME_CHARACTERS, MAX_TRACEBACK
from vnnbench.leaderboard.records import planted

NAME = "fashion-mnist-28x28-4x64-s9-linf-any-i17"
"""A name as long as those of suites get; names of surrogates have another 20 characters."""
SURROGATE = f"{NAME}-mag-u95-ft"


def test_the_manifest_of_a_library_of_the_most_instances_is_read():
    n = 2_000
    files = {f"models/{SURROGATE}{i:06d}--surrogatelib.mps.gz": "a" * 64 for i in range(n)}
    files |= {f"networks/{SURROGATE}{i:06d}.onnx": "a" * 64 for i in range(n)}
    share = JsonLimit(MANIFEST_LIMIT.bytes * n // MAX_INSTANCES, MANIFEST_LIMIT.containers, MANIFEST_LIMIT.commas)
    data = manifest_bytes("fashion-mnist", "a" * 64, range(10), files)
    assert excess_of_json(data, share) is None
    assert MANIFEST_LIMIT.commas > 2 * MAX_INSTANCES


def test_the_catalogue_of_a_library_of_the_most_instances_is_read():
    kinds = {"str": SURROGATE, "int": 1234, "float": -0.12345678901234567}
    values = {field.name: kinds[str(field.type).split(" | ")[0]] for field in fields(CatalogRow)}
    words = ("family", "suite", "dataset", "pruning", "structure", "formulation", "bounds", "norm")
    row = CatalogRow(**{**values, **dict.fromkeys(words, "word")})
    row_bytes = len(catalog_bytes([row])) - len(catalog_bytes([]))
    assert row_bytes * MAX_INSTANCES < limits.MAX_CATALOG_BYTES
    assert len(fields(CatalogRow)) * MAX_INSTANCES < limits.MAX_CATALOG_FIELDS


def test_the_answers_of_a_library_of_the_most_instances_are_read():
    n = 2_000
    names = [f"{SURROGATE}{i:06d}" for i in range(n)]
    answer = ProvenProblem(SURROGATE, ProvenAnswer.ADVERSARIAL, *[-0.12345678901234567] * 2, "", *[1234.123456] * 2, 99)
    rows = [replace(answer, problem=name, proof=proof_file(name)) for name in names]
    assert len(answers_bytes(rows)) * MAX_INSTANCES // n < limits.MAX_ANSWERS_BYTES
    data = proofs_manifest_bytes({row.proof: "a" * 64 for row in rows})
    share = JsonLimit(PROOFS_LIMIT.bytes * n // MAX_INSTANCES, PROOFS_LIMIT.containers, PROOFS_LIMIT.commas)
    assert excess_of_json(data, share) is None
    assert PROOFS_LIMIT.commas > MAX_INSTANCES


def test_the_property_of_the_most_inputs_is_written_and_so_read():
    n = MAX_INPUTS // 20
    numbers = np.random.default_rng(0).uniform(0.1, 0.2, size=n)
    input_set = InputSet(Norm.LINF, numbers, 0.1, numbers - 0.1, numbers + 0.1)
    data = property_json(VerifyProperty(input_set, 0, (1,), True, None, None))
    assert 20 * len(data) < PROPERTY_LIMIT.bytes
    assert 20 * data.count(b",") < PROPERTY_LIMIT.commas


def test_packages_that_share_a_limit_agree():
    assert max(limits.MAX_MPS_NAMES, MAX_INPUTS) == MAX_COLUMNS
    assert (limits.SEAL_LIMIT.bytes, limits.SEAL_LIMIT.containers) == (
        planted.MAX_SEALED_BYTES,
        planted.MAX_SEALED_CONTAINERS,
    )
    stored = bench_limits.MAX_CANDIDATE_BYTES + 4 * MAX_NAME_CHARACTERS + 8 * MAX_COLUMNS
    assert stored < limits.MAX_ARRAY_BYTES
    assert 12 * MAX_TRACEBACK < MAX_HEADER_BYTES


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" + b" " * 100 + b"]", "holds more than 100 bytes"),
        (b"[[],{}]", "holds more than 2 lists and objects"),
        (b"[1,2,3,4,5]", "holds more than 3 values"),
        (b"[1,", "is not JSON"),
        (b"", "is not JSON"),
        (b'["\xff"]', "is not JSON"),
    ],
)
def test_json_beyond_its_limit_is_refused_in_a_few_words(data, message):
    with pytest.raises(LibraryError, match=f"a.json: {re.escape(message)}"):
        parse_json(data, JsonLimit(100, 2, 3), lambda what: LibraryError(f"a.json: {what}"))


def test_json_within_its_limit_is_read():
    limit = JsonLimit(100, 2, 3)
    assert parse_json(b'{"a": [1, 2.5]}', limit, LibraryError) == {"a": [1, 2.5]}
