"""The TOML of a solver that is a program: what to start, and how to read what it writes.

`solvers/README.md` explains every key and placeholder; a test compares its table with the keys that are read here.
"""

from __future__ import annotations

import hashlib
import re
import string
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vnnbench.common.text import message_line
from vnnbench.common.toml_table import MAX_TOML_BYTES, CheckError, Table, instance_of, number, parse_toml
from vnnbench.solvers.base import SolverError, Termination
from vnnbench.solvers.command_line.model_files import ModelFormat
from vnnbench.solvers.command_line.solution_files import SolutionFormat

SUFFIX = ".toml"
PACKAGED = Path(__file__).parent

SOLVE_WORDS = frozenset({"model", "solution", "seconds", "whole_seconds", "threads", "seed", "mip_gap", "node_limit"})
WITHOUT_DEFAULT = frozenset({"node_limit"})
"""Placeholders that may have no value: a word with one stands in an inner list, which is then left out."""
REWRITE_WORDS = frozenset({"model", "output"})

Words = tuple[str | tuple[str, ...], ...]


class CommandFileError(SolverError):
    """A solver's TOML cannot be read, or has an unknown key, a wrong type or an impossible value. The message can be
    printed, whatever it quotes."""

    def __init__(self, message: str) -> None:
        super().__init__(message_line(message))


@dataclass(frozen=True, slots=True)
class Status:
    """The termination that a matching line means."""

    pattern: re.Pattern[str]
    termination: Termination


@dataclass(frozen=True, slots=True)
class BoundPattern:
    """The pattern of a dual bound, and how far the printed number may be rounded: absolute + relative * |bound|."""

    pattern: re.Pattern[str]
    absolute: float
    relative: float


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The arguments that make the program write the model that it has read; `tolerance`: its relative precision."""

    words: Words
    format: ModelFormat
    tolerance: float


@dataclass(frozen=True, slots=True)
class Description:
    """The content of one TOML. name: the file's, without the suffix; sha256: of its bytes; folder: the file's."""

    name: str
    sha256: str
    folder: Path
    title: str
    program: str
    needs: str
    licence: str
    version: Words
    version_pattern: re.Pattern[str]
    gzip: bool
    negated_constant: bool
    solve: Words
    nodes: re.Pattern[str] | None
    solution: SolutionFormat | None
    leaves_zeros_out: bool
    feasible: re.Pattern[str]
    objective: tuple[re.Pattern[str], ...]
    statuses: tuple[Status, ...]
    dual_bounds: tuple[BoundPattern, ...]
    rewrite: Rewrite | None


def placeholders(words: Words) -> set[str]:
    """Return the placeholders of the words. Raises ValueError: a single brace, or a placeholder that is not a name."""
    flat = [part for word in words for part in ((word,) if isinstance(word, str) else word)]
    found = [field for word in flat for _, *field in string.Formatter().parse(word) if field[0] is not None]
    if any(how or conversion for _, how, conversion in found):  # such as a width of a billion
        raise ValueError
    return {str(name) for name, _, _ in found}


def packaged_files() -> list[Path]:
    """Return the paths of the TOMLs that come with vnnbench."""
    return sorted(PACKAGED.glob(f"*{SUFFIX}"))


def read_command_file(path: Path) -> Description:
    """Read and check a TOML. Raises `CommandFileError`, one line that names file and key."""
    if path.exists() and not path.is_file():  # reading a pipe would not end
        raise CommandFileError(f"{path}: is not a file")
    try:
        if path.is_file() and path.stat().st_size > MAX_TOML_BYTES:
            raise CommandFileError(f"{path}: holds more than {MAX_TOML_BYTES} bytes, the most that is read")
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        raise CommandFileError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise CommandFileError(f"{path}: is not TOML ({error})") from error
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", path.stem):
        raise CommandFileError(f"{path}: the file's name is the solver's name; use up to 40 of A-Z a-z 0-9 _ . -")
    top = parse_toml(text, str(path), CommandFileError)
    model, solve, solution = (top.table(key, optional=key == "model") for key in ("model", "solve", "solution"))
    description = Description(
        name=path.stem,
        sha256=hashlib.sha256(data).hexdigest(),
        folder=path.absolute().parent,
        title=top.take("title", _text, "a text"),
        program=top.take("program", _text, "a text"),
        needs=top.take("needs", _text, "a text: how to get the program"),
        licence=top.take("licence", _text, "a text"),
        version=top.take("version", _words(frozenset()), "a list of words without placeholders"),
        version_pattern=top.take("version_pattern", _group, GROUP),
        gzip=model.take("gzip", instance_of(bool), "true or false", True),
        negated_constant=model.take("constant", _negated, '"plain" or "negated"', False),
        solve=solve.take("words", _words(SOLVE_WORDS, {"model", "solution"}), _words_text(SOLVE_WORDS)),
        nodes=solve.take("nodes", _group, GROUP, None),
        solution=solution.take("format", SolutionFormat, '"cbc", "glpk" or "names"', None),
        leaves_zeros_out=solution.take("leaves_zeros_out", instance_of(bool), "true or false", False),
        feasible=solution.take("feasible", _pattern, PATTERN),
        objective=solution.take("objective", _groups, f"a list, each {GROUP}", ()),
        statuses=tuple(_status(table) for table in top.tables("status")),
        dual_bounds=tuple(_bound(table) for table in top.tables("dual_bound")),
        rewrite=_rewrite(top.table("rewrite", optional=True)),
    )
    for table in (top, model, solve, solution):
        table.finish()
    return description


def _status(table: Table) -> Status:
    kinds = ", ".join(Termination)
    status = Status(table.take("pattern", _pattern, PATTERN), table.take("termination", Termination, f"one of {kinds}"))
    table.finish()
    return status


def _bound(table: Table) -> BoundPattern:
    off = "a number from 0 to 1"
    bound = BoundPattern(
        table.take("pattern", _group, GROUP),
        table.take("absolute", SHARE, off, 0.0),
        table.take("relative", SHARE, off, 0.0),
    )
    table.finish()
    return bound


def _rewrite(table: Table) -> Rewrite | None:
    if not table.values:
        return None
    rewrite = Rewrite(
        table.take("words", _words(REWRITE_WORDS, REWRITE_WORDS), _words_text(REWRITE_WORDS)),
        table.take("format", ModelFormat, '"mps" or "glpk"'),
        table.take("tolerance", SHARE, "a number from 0 to 1"),
    )
    table.finish()
    return rewrite


# -- values: each check returns the value as it is used, or raises ValueError ------------------------------------------

MAX_PATTERN = 1_000
PATTERN = f"a regular expression of at most {MAX_PATTERN} characters"
GROUP = f"{PATTERN} with one group"
SHARE = number(0.0, 1.0, closed=True)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError
    return value


def _negated(value: Any) -> bool:
    if value not in ("plain", "negated"):
        raise ValueError
    return bool(value == "negated")


def _pattern(value: Any) -> re.Pattern[str]:
    if len(_text(value)) > MAX_PATTERN:
        raise ValueError
    try:
        with warnings.catch_warnings(action="error"):  # for a pattern that another version of Python reads differently
            return re.compile(_text(value), re.MULTILINE)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise CheckError(str(error)) from error


def _group(value: Any) -> re.Pattern[str]:
    pattern = _pattern(value)
    if pattern.groups != 1:
        raise CheckError(f"it has {pattern.groups}")
    return pattern


def _groups(value: Any) -> tuple[re.Pattern[str], ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(_group(item) for item in value)


def _words(known: frozenset[str], required: frozenset[str] | set[str] = frozenset()) -> Callable[[Any], Words]:
    """Return the check of a list of words, some of them in lists of their own, with these placeholders only."""

    def check(value: Any) -> Words:
        if not isinstance(value, list):
            raise ValueError
        words = tuple(tuple(map(_text, item)) if isinstance(item, list) else _text(item) for item in value)
        always = placeholders(tuple(word for word in words if isinstance(word, str)))
        if not required <= placeholders(words) <= known or always & WITHOUT_DEFAULT:
            raise ValueError
        return words

    return check


def _words_text(known: frozenset[str]) -> str:
    inner = "".join(f", {{{name}}} in an inner list" for name in sorted(known & WITHOUT_DEFAULT))
    return f"a list of words with placeholders of {', '.join(f'{{{name}}}' for name in sorted(known))} only{inner}"
