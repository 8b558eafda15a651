"""The sealed file, which holds the planted answers of a library's problems. A reader of it knows the answers.

LIBRARY/sealed.json   {"format": 1, "suite": name, "key": hex,
                       "problems": [{"problem", "dense_sha256", "property_sha256", "instances": {name: sha256},
                                     and "answer": "adversarial", "value", "point"
                                     or  "answer": "robust", "bound", "level"}]}

Its sha256 is in the manifest like that of every file. A library may be given away without it: the manifest then commits
its author to the answers.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import orjson

from vnnbench.common.numbers import is_finite_number
from vnnbench.instances.bounds.levels import BoundLevel
from vnnbench.instances.errors import LibraryError, SuiteError
from vnnbench.instances.files import parse_json, read_plain, write_atomic
from vnnbench.instances.layout import SEALED
from vnnbench.instances.library.library import Library
from vnnbench.instances.limits import MAX_KEY_BYTES, SEAL_LIMIT
from vnnbench.instances.suites.network_suite import NetworkSuite

FORMAT = 1


@dataclass(frozen=True, slots=True)
class PlantedCounterexample:
    """A planted counterexample.

    point (n_0,): lies exactly in the set. value: of the dense network there, exact, then rounded down.
    """

    answer: ClassVar[str] = "adversarial"
    value: float
    point: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PlantedRobustness:
    """Planted robustness: the dense network's value is at most `bound`, below 0, on the whole set.

    Bounds of `level` prove it.
    """

    answer: ClassVar[str] = "robust"
    bound: float
    level: BoundLevel


PlantedAnswer = PlantedCounterexample | PlantedRobustness


@dataclass(frozen=True, slots=True)
class PlantedProblem:
    """A problem with its planted answer.

    It holds the sha256 of its dense network and property, and of its instances by name.
    """

    problem: str
    dense_sha256: str
    property_sha256: str
    instances: dict[str, str]
    answer: PlantedAnswer


@dataclass(frozen=True, slots=True)
class Seal:
    """The content of the sealed file; `key` decides the draws of `planting`."""

    suite: str
    key: str
    problems: tuple[PlantedProblem, ...]


def planting_key(suite: NetworkSuite, file: Path | None) -> str | None:
    """Return the key, in hex, that decides which problems get planted answers; None if the suite plants none.

    It is derived from the bytes of a file that the author keeps. Without a file it is derived from the suite, and then
    anyone with the suite can derive the answers. Raises SuiteError.
    """
    if suite.planted is None:
        if file is not None:
            raise SuiteError(
                f"suite {suite.name} plants no answers; leave --key {file} out, or add a table [planted] to the suite"
            )
        return None
    data = suite.sha256.encode() if file is None else read_plain(file, MAX_KEY_BYTES, SuiteError)
    if not data.strip():
        raise SuiteError(f"{file}: is empty; use any secret text or bytes")
    return hashlib.sha256(b"vnnbench planting key\n" + data).hexdigest()


def answer_document(answer: PlantedAnswer) -> dict[str, Any]:
    """Return the answer as the sealed file holds it; `parse_answer` reads it back."""
    return {"answer": answer.answer, **asdict(answer)}


def parse_answer(document: dict[str, Any]) -> PlantedAnswer:
    """Return the answer of a sealed file's object. Raises KeyError, TypeError or ValueError."""
    if document["answer"] == PlantedCounterexample.answer:
        return PlantedCounterexample(_number(document["value"]), tuple(_number(x) for x in document["point"]))
    if document["answer"] == PlantedRobustness.answer:
        return PlantedRobustness(_number(document["bound"]), BoundLevel(document["level"]))
    raise ValueError(f"answer {document['answer']!r} is neither adversarial nor robust")


def seal_bytes(seal: Seal) -> bytes:
    """Return the bytes of sealed.json; the same seal gives the same bytes."""
    problems = [
        {
            "problem": planted.problem,
            "dense_sha256": planted.dense_sha256,
            "property_sha256": planted.property_sha256,
            "instances": dict(sorted(planted.instances.items())),
            **answer_document(planted.answer),
        }
        for planted in seal.problems
    ]
    document = {"format": FORMAT, "suite": seal.suite, "key": seal.key, "problems": problems}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


def read_seal(library: Library) -> Seal | None:
    """Return the sealed file of a library; None if the library lacks it, or it is withheld. Raises LibraryError."""
    if not is_sealed(library):
        return None
    path = library.folder / SEALED

    def broken(what: object) -> LibraryError:
        return LibraryError(f"{path}: is not a file of planted answers ({what}); generate the library again")

    document: Any = parse_json(library.read_verified(SEALED), SEAL_LIMIT, broken)
    try:
        if document["format"] != FORMAT:
            raise LibraryError(f"{path}: has format {document['format']!r}; this version reads {FORMAT}")
        return Seal(
            _text(document["suite"]),
            _text(document["key"]),
            tuple(_problem(problem) for problem in document["problems"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise broken(repr(error)) from error


def is_sealed(library: Library) -> bool:
    """Return whether the library lists a sealed file and the file exists."""
    return SEALED in library.hashes and (library.folder / SEALED).is_file()


def copy_seal(library: Library, folder: Path) -> None:
    """Copy the sealed file, if it exists, into a folder under its sha256.

    So the folder can hold those of several libraries, and a changed one is detected. Raises LibraryError.
    """
    if is_sealed(library):
        write_atomic(folder / f"{library.hashes[SEALED]}.json", library.read_verified(SEALED))


def _problem(document: dict[str, Any]) -> PlantedProblem:
    return PlantedProblem(
        problem=_text(document["problem"]),
        dense_sha256=_text(document["dense_sha256"]),
        property_sha256=_text(document["property_sha256"]),
        instances={_text(name): _text(digest) for name, digest in dict(document["instances"]).items()},
        answer=parse_answer(document),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} must be a text")
    return value


def _number(value: object) -> float:
    if not is_finite_number(value):
        raise TypeError(f"{value!r} must be a finite number")
    return float(value)
