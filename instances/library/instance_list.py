"""instances.csv: the problems of a library for neural network verifiers, as the scripts of VNN-COMP read them.

    networks/NETWORK.onnx,properties/PROBLEM.vnnlib,300

It has a line for each problem that has a VNN-LIB file: on its dense network, with its time limit in seconds. Paths are
relative to the file's own folder; there is no head. The VNN-LIB file of a strict goal says >=, because VNN-LIB 1.0 has
no word for it: a verifier's unsat answers the problem, and its point is a counterexample where the judge confirms it.
Source: run_all_categories.sh of the benchmarks of VNN-COMP 2026.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable

from vnnbench.common.numbers import DEFAULT_SECONDS
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import holds, sha256, write_atomic
from vnnbench.instances.layout import INSTANCES, network_file, vnnlib_file
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library


def time_limit_seconds(row: CatalogRow) -> float:
    """Return the time limit of an instance's problem for neural network verifiers: its own, if it has one."""
    return DEFAULT_SECONDS if row.time_limit_seconds is None else row.time_limit_seconds


def problems(rows: Iterable[CatalogRow]) -> list[CatalogRow]:
    """Return the first instance of each problem, that is, of each property on a dense network, in the order of rows."""
    first: dict[tuple[str | None, str], CatalogRow] = {}
    for row in rows:
        first.setdefault((row.dense_network, row.property), row)
    return list(first.values())


def instance_list(rows: Iterable[CatalogRow], files: Collection[str]) -> bytes:
    """Return the bytes of instances.csv of a library with these rows and files, given by relative path."""
    return list_bytes(
        (network_file(row.dense_network), vnnlib_file(row.property), time_limit_seconds(row))
        for row in problems(rows)
        if row.dense_network is not None and vnnlib_file(row.property) in files
    )


def list_bytes(lines: Iterable[tuple[str, str, float]]) -> bytes:
    """Return the bytes of a list: of each problem the network, the property and the time limit in seconds."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows((*files, f"{seconds:.12g}") for *files, seconds in lines)
    return buffer.getvalue().encode()


def restore_list(library: Library) -> None:
    """Write instances.csv again if the manifest lists it and it is missing or altered. Raises LibraryError."""
    digest = library.hashes.get(INSTANCES)
    if digest is None or holds(library.folder / INSTANCES, digest):
        return
    data = instance_list(library.rows, library.hashes)
    if sha256(data) != digest:
        raise LibraryError(
            f"{library.folder / INSTANCES}: is missing or altered, and this version of vnnbench writes another one; "
            f"{library.advice(INSTANCES)} with the version that made it"
        )
    write_atomic(library.folder / INSTANCES, data)
