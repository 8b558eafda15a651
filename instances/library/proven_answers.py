"""The proven answers of a library: a table, a proof for each answer, and a manifest of their own.

answers.csv           one `ProvenProblem` per row, in the order in which they were added
proofs/PROBLEM.npz    its proof (`proofs.proof_file`)
proofs/manifest.json  {"format": 1, "files": {relative path: sha256}}, of the table and of every proof; written last

The library's own manifest does not list them. Here they are read, and nothing in them is believed: `proof_checks`
checks them, `answer_additions` writes them. `instances/README.md`, section "Proven answers", describes them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import holds, parse_json, read_bytes, sha256
from vnnbench.instances.layout import ANSWERS, PROOFS, PROOFS_MANIFEST, most_bytes, next_proof_file, proof_file
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library, check_hashes, check_inside
from vnnbench.instances.library.tables import read_field, read_records, table_bytes
from vnnbench.instances.limits import PROOFS_LIMIT

FORMAT = 1
_ADVICE = f"restore it from a copy, or delete {ANSWERS} and {PROOFS}/"


class ProvenAnswer(StrEnum):
    """What a proof says about its problem.

    ADVERSARIAL: its witness is a counterexample. ROBUST: there is none; of a problem `closest`, no input of the set
    reaches the margin. VALUE: of a problem without a threshold, the optimum, within `BOUND_TOLERANCE`. OPEN: an
    interval for the largest value, which leaves the question open.
    """

    ADVERSARIAL = "adversarial"
    ROBUST = "robust"
    VALUE = "value"
    OPEN = "open"


_NEEDED_ENDS: dict[ProvenAnswer, tuple[str, ...]] = {
    ProvenAnswer.ADVERSARIAL: ("lower",),
    ProvenAnswer.ROBUST: ("upper",),
    ProvenAnswer.VALUE: ("lower", "upper"),
    ProvenAnswer.OPEN: (),
}


@dataclass(frozen=True, slots=True)
class ProvenProblem:
    """A problem with its proven answer: the columns of answers.csv in their order; None is an empty field.

    lower: a value that an input of the set reaches, rounded down. upper: a number that no value exceeds, rounded up.
    proof: the path of the proof. prove_seconds: what finding it took, None if unknown. check_seconds: what checking it
    took. leaves: of its tree; 0 without one.
    """

    problem: str
    answer: ProvenAnswer
    lower: float | None
    upper: float | None
    proof: str
    prove_seconds: float | None
    check_seconds: float
    leaves: int


ANSWER_COLUMNS = tuple(field.name for field in fields(ProvenProblem))
_KINDS = {
    "problem": "str", "answer": "str", "lower": "float", "upper": "float", "proof": "str", "prove_seconds": "measure",
    "check_seconds": "measure", "leaves": "int",
}  # fmt: skip
_OPTIONAL = {"lower", "upper", "prove_seconds"}


def answers_bytes(problems: Iterable[ProvenProblem]) -> bytes:
    """Return the bytes of answers.csv; numbers read back bit for bit."""
    return table_bytes(ANSWER_COLUMNS, map(astuple, problems))


def parse_answers(data: bytes, path: Path) -> Iterable[ProvenProblem]:
    """Yield the rows of answers.csv.

    Raises LibraryError, which names line and column: a field of a wrong type, an end of the interval that the answer
    needs and that is empty, or another path than that of the problem's proof.
    """
    for line, record in read_records(data, path, ANSWER_COLUMNS, _ADVICE):
        where = f"{path}, line {line}: "
        values: dict[str, Any] = {
            column: read_field(record[column], kind, where, column, optional=column in _OPTIONAL)
            for column, kind in _KINDS.items()
        }
        if values["answer"] not in list(ProvenAnswer):
            raise LibraryError(
                f"{where}answer is {values['answer'][:40]!r}, it must be one of {', '.join(ProvenAnswer)}"
            )
        values["answer"] = ProvenAnswer(values["answer"])
        empty = [column for column in _NEEDED_ENDS[values["answer"]] if values[column] is None]
        if empty:
            raise LibraryError(f"{where}{empty[0]} is empty, but the answer is {values['answer']}")
        if values["proof"] != proof_file(values["problem"]) or "/" in values["problem"]:
            raise LibraryError(f"{where}proof is {values['proof'][:80]!r}, it must be {PROOFS}/PROBLEM.npz")
        yield ProvenProblem(**values)


def proofs_manifest_bytes(hashes: Mapping[str, str]) -> bytes:
    """Return the bytes of proofs/manifest.json; the same files give the same bytes."""
    document = {"format": FORMAT, "files": dict(sorted(hashes.items()))}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """The proven answers of a library by problem, as its files state them, and the sha256 of these files by path.

    The table agrees with the manifest, and no path leaves the folder; the proofs are not read.
    """

    folder: Path
    problems: dict[str, ProvenProblem] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> AnswerTable:
        """Read manifest and table of the library in `folder`; a library without them has an empty table.

        Another process may add answers meanwhile: then the reading begins again.

        Raises LibraryError, one line that names the file.
        """
        if not (folder / PROOFS_MANIFEST).exists() and not (folder / ANSWERS).exists():
            return cls(folder)
        manifest = _read_manifest(folder)
        try:
            return cls._of_manifest(folder, manifest)
        except LibraryError:
            if _read_manifest(folder) == manifest:
                raise
        return cls.open(folder)

    @classmethod
    def _of_manifest(cls, folder: Path, manifest: bytes) -> AnswerTable:
        files = cls(folder, hashes=_parse_manifest(manifest, folder))
        path = folder / ANSWERS
        problems: dict[str, ProvenProblem] = {}
        for proven in parse_answers(files.read(ANSWERS), path):
            if problems.setdefault(proven.problem, proven) is not proven:
                raise LibraryError(f"{path}: lists problem {proven.problem} twice; {_ADVICE}")
        if files.hashes.keys() != {ANSWERS, *(proven.proof for proven in problems.values())}:
            raise LibraryError(f"{folder / PROOFS_MANIFEST}: lists other proofs than {ANSWERS}; {_ADVICE}")
        return cls(folder, problems, files.hashes)

    def read(self, relative: str) -> bytes:
        """Return the bytes of the table or of a proof, checked against the manifest. Raises LibraryError."""
        path, aside = self.folder / relative, self.folder / next_proof_file(relative)
        if aside.is_file() and not aside.is_symlink() and holds(aside, self.hashes[relative]):
            path = aside  # an addition was stopped after it wrote the manifest
        data = read_bytes(path, _ADVICE, most_bytes(relative))
        if sha256(data) != self.hashes[relative]:
            raise LibraryError(f"{path}: is not the file that {PROOFS_MANIFEST} knows (sha256); {_ADVICE}")
        return data


def answer_of(library: Library, row: CatalogRow) -> ProvenProblem | None:
    """Return the proven answer to an instance's problem, as the table states it; None without one.

    Raises LibraryError: the table is broken, or the instances of the problem are not all about the same.
    """
    proven = AnswerTable.open(library.folder).problems.get(row.problem)
    if proven is not None:
        library.problem_rows(row.problem)
    return proven


def _read_manifest(folder: Path) -> bytes:
    path = folder / PROOFS_MANIFEST
    check_inside(os.path.realpath(folder), PROOFS_MANIFEST, path)
    return read_bytes(path, _ADVICE, most_bytes(PROOFS_MANIFEST))


def _parse_manifest(data: bytes, folder: Path) -> dict[str, str]:
    """Return the sha256 of the table and of every proof by relative path. Raises LibraryError."""
    path = folder / PROOFS_MANIFEST

    def broken(what: str) -> LibraryError:
        return LibraryError(f"{path}: {what}; {_ADVICE}")

    document: Any = parse_json(data, PROOFS_LIMIT, broken)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise LibraryError(f"{path}: is not a manifest of format {FORMAT}; use the version of vnnbench that made it")
    hashes = document.get("files")
    if not isinstance(hashes, dict) or ANSWERS not in hashes:
        raise broken(f"files must map relative paths to sha256, and hold {ANSWERS}")
    check_hashes(folder, hashes, path)
    return hashes
