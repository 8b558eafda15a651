"""The names of imported problems and networks, which are made from the names of their files."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import sha256

_MOST = 120
_NAME = re.compile(rf"[A-Za-z0-9](?!.*--)[A-Za-z0-9._-]{{0,{_MOST - 1}}}")
_DIGITS = 8
"""The hexadecimal digits that stand for the rest of a name that is too long."""


def network_name(onnx: Path) -> str:
    """Return a network's name: that of its file without .onnx, with other characters replaced by _.

    Of a name of more than 120 characters the end is replaced by digits of its sha256. Raises LibraryError: it has
    neither letters nor digits.
    """
    return _name(_stem(onnx, ".onnx"), onnx)


def problem_name(onnx: Path, vnnlib: Path) -> str:
    """Return a problem's name, NETWORK-PROPERTY, made as `network_name` is. Raises LibraryError."""
    return _name(f"{network_name(onnx)}-{_stem(vnnlib, '.vnnlib')}", vnnlib)


def checked_name(name: str) -> str:
    """Return a name that the user gives. Raises LibraryError if a library cannot hold it."""
    if not _NAME.fullmatch(name):
        raise LibraryError(
            f"--name {name!r}: use a letter or digit first, then letters, digits, ., _ and - (not --), at most {_MOST}"
        )
    return name


class UniqueNames:
    """Names for things in their order: the second one of a name gets the suffix -2, the third -3, and so on."""

    def __init__(self) -> None:
        self._names: dict[object, str] = {}
        self._taken: set[str] = set()
        self._numbers: Counter[str] = Counter()

    def of(self, thing: object, wanted: str) -> str:
        """Return the name of a thing, which is `wanted` unless another thing has it; the same again for the same."""
        if thing not in self._names:
            name = wanted
            while name in self._taken:
                self._numbers[wanted] += 1
                name = f"{wanted}-{self._numbers[wanted] + 1}"
            self._taken.add(name)
            self._names[thing] = name
        return self._names[thing]


def _stem(path: Path, suffix: str) -> str:
    return path.name.removesuffix(".gz").removesuffix(suffix)


def _name(wanted: str, path: Path) -> str:
    name = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._-]", "_", wanted)).lstrip("._-")
    if len(name) > _MOST:
        name = f"{name[: _MOST - _DIGITS - 1].rstrip('-')}-{sha256(os.fsencode(wanted))[:_DIGITS]}"
    if not _NAME.fullmatch(name):
        raise LibraryError(f"{path}: {name!r} cannot be a name in a library; rename the file, or give --name")
    return name
