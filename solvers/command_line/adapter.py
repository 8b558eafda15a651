"""The adapter of any program that a TOML describes (solvers/README.md).

The program is a child of this process. Its log and its solution file are read when it has ended, so it has at most one
incumbent and one dual bound, the final ones.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from vnnbench.solvers.base import (
    Licence,
    Listener,
    ModelAsRead,
    NotInstalledError,
    OptionError,
    OptionValue,
    Solver,
    SolveRequest,
    SolverError,
    SolveResult,
    Termination,
    UnreadableModelError,
)
from vnnbench.solvers.command_line.answer import Reading
from vnnbench.solvers.command_line.description import PACKAGED, Description, Words, placeholders
from vnnbench.solvers.command_line.model_files import ModelFormat, parse_model, text_of
from vnnbench.solvers.command_line.patterns import PatternError, Search
from vnnbench.solvers.command_line.program import find_program, open_own_file, running
from vnnbench.solvers.command_line.solution_files import max_bytes
from vnnbench.solvers.relay import Answer, Relay

OVERTIME_SECONDS = 2.0
"""The time that a program has after its time limit to stop by itself and write its solution."""

_MAX_SEED = 2**31 - 1
_INFINITY = 1e20  # CBC's "no solution" is 1e+50
_POLL_SECONDS = 0.01
_VERSION_SECONDS = 30.0
_MAX_VERSION_BYTES = 1 << 20
_PATTERN_SECONDS = 2.0  # of processor time; those of cbc.toml take 0.5 s for the longest log
_REWRITE_SECONDS = 600.0
_MAX_LOG_BYTES = 16 << 20
_IDENTITY_DIGITS = 12


class Command(Solver):
    """The adapter of one description; `command_solver` makes a class for each."""

    streams: ClassVar[bool] = False
    module: ClassVar[str] = ""
    description: ClassVar[Description]

    @classmethod
    def installed(cls) -> bool:
        """Return whether the program is there."""
        return find_program(cls.description.program, cls.description.folder) is not None

    @classmethod
    def needs(cls) -> str:
        return cls.description.needs

    @property
    def rereads(self) -> bool:
        return self.description.rewrite is not None

    def version(self) -> str:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "log")
            self._run_to_end(self._filled(self.description.version, {}), log, Path(folder), _VERSION_SECONDS)
            printed = _log_text(log, _MAX_VERSION_BYTES)
        try:
            found = Search(_PATTERN_SECONDS).first(self.description.version_pattern, printed)
        except PatternError as error:
            raise SolverError(f"{self.name}: version_pattern: {error}") from error
        if found is None or not found[1]:
            raise SolverError(f"{self.name}: version_pattern matches nothing that {self.description.program} prints")
        return found[1]

    def licence(self) -> Licence:
        return Licence(self.description.licence)

    def validate_options(self, options: Mapping[str, str]) -> dict[str, OptionValue]:
        """Refuse every option. Returns the identity of a TOML that does not come with vnnbench, which is part of a
        setting under the name `toml`: the first digits of its sha256."""
        for name in options:
            raise OptionError(f"{self.name}: option {name} cannot be set here; write it into a TOML of your own")
        return {} if self.description.folder == PACKAGED else {"toml": self._identity}

    @property
    def _identity(self) -> str:
        return self.description.sha256[:_IDENTITY_DIGITS]

    def validate_limits(self, mip_gap: float, node_limit: int | None) -> None:
        taken = placeholders(self.description.solve)
        for name, given in (("mip_gap", mip_gap > 0), ("node_limit", node_limit is not None)):
            if given and name not in taken:
                raise OptionError(f"{self.name}: option {name} cannot be set: its TOML has no word with {{{name}}}")

    def read_model(self, path: Path) -> ModelAsRead:
        """Have the program write the model that it has read, and read that. Raises `UnreadableModelError`."""
        rewrite = self.description.rewrite
        if rewrite is None:
            raise SolverError(f"{self.name}: its TOML has no table [rewrite], so what it reads cannot be compared")
        with tempfile.TemporaryDirectory() as name:
            folder, log = Path(name), Path(name, "log")
            text, output = self._text_of(path), folder / f"output.{rewrite.format.value}"
            model_path = self._model_path(path, text, folder)
            words = self._filled(rewrite.words, {"model": str(model_path), "output": str(output)})
            self._run_to_end(words, log, folder, _REWRITE_SECONDS)
            written = output if output.exists() else output.with_name(f"{output.name}.gz")  # CBC adds it
            if not written.exists():
                complaint = Reading(self.description, _PATTERN_SECONDS).complaint(_log_text(log))
                raise UnreadableModelError(f"{self.name} cannot read {path}: {complaint}")
            try:
                read = parse_model(text_of(written), rewrite.format, rewrite.tolerance)
            except ValueError as error:
                raise UnreadableModelError(f"{self.name}: what it wrote of {path} cannot be read: {error}") from error
        # its own format has the constant as the program has it; in an MPS file the two wrong signs cancel out
        negated = self.description.negated_constant and rewrite.format is ModelFormat.GLPK
        return replace(read, offset=0.0 - read.offset) if negated else read

    def solve(self, request: SolveRequest, listener: Listener) -> SolveResult:
        self.validate_limits(request.mip_gap, request.node_limit)
        if request.options.get("toml", self._identity) != self._identity:
            raise SolverError(f"{self.name}: its TOML has changed since the run was planned")
        relay = Relay(listener, infinity=_INFINITY)
        with tempfile.TemporaryDirectory(dir=request.log_path.parent, prefix="command-") as name:
            folder = Path(name).absolute()
            text = self._text_of(request.model_path)
            left = relay.seconds_left(request.time_limit_seconds)
            values = {
                "model": str(self._model_path(request.model_path, text, folder)),
                "solution": str(folder / "solution"),
                "seconds": f"{left:.3f}",
                "whole_seconds": str(math.ceil(left)),
                **_settings(request),
            }
            answer = self._solve(request, values, folder, text, relay)
        return relay.result(answer)

    def _solve(self, request: SolveRequest, values: dict[str, str], folder: Path, text: str, relay: Relay) -> Answer:
        words = self._filled(self.description.solve, values)
        with request.log_path.open("ab") as log, running(words, log, folder) as process:
            model = self._parsed(request.model_path, text)  # meanwhile, so that it takes none of the program's time
            relay.model_read(model.column_names)
            if not _ends_by_itself(process, relay, request.time_limit_seconds):
                return Answer(Termination.INTERRUPTED, "ended by vnnbench")
        printed, written = _log_text(request.log_path), _solution(folder / "solution", len(model.column_names))
        reading = Reading(self.description, _PATTERN_SECONDS)
        return reading.answer(printed, written, model, process.returncode, request.mip_gap)

    # -- the program ---------------------------------------------------------------------------------------------

    def _filled(self, words: Words, values: Mapping[str, str]) -> list[str]:
        """Return the command line, without the inner lists that lack a value. Raises `NotInstalledError`."""
        program = find_program(self.description.program, self.description.folder)
        if program is None:
            program_name, where = self.description.program, _where(self.description)
            raise NotInstalledError(f"{self.name}: {program_name} is {where}; to get it: {self.description.needs}")
        chosen = [str(program)]
        for word in words:
            if isinstance(word, str):
                chosen.append(word.format_map({**_DEFAULTS, **values}))
            elif placeholders((word,)) <= set(values):
                chosen += [part.format_map(values) for part in word]
        return chosen

    def _run_to_end(self, words: Sequence[str], log: Path, folder: Path, seconds: float) -> None:
        try:
            with log.open("wb") as stream, running(words, stream, folder) as process:
                process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise SolverError(f"{self.name}: {self.description.program} has not ended in {seconds:.0f} s") from None

    def _text_of(self, path: Path) -> str:
        try:
            return text_of(path)
        except ValueError as error:
            raise UnreadableModelError(f"{self.name} cannot read {path}: {error}") from error

    def _parsed(self, path: Path, text: str) -> ModelAsRead:
        """Read the model here: programs number columns, leave zeros out, and do not write the constant."""
        try:
            model = parse_model(text, ModelFormat.MPS)
        except ValueError as error:
            raise UnreadableModelError(f"{self.name} cannot read {path}: {error}") from error
        if not model.minimize:
            raise UnreadableModelError(f"{self.name}: {path} maximizes; vnnbench files minimize")
        return model

    def _model_path(self, path: Path, text: str, folder: Path) -> Path:
        if self.description.gzip or path.suffix != ".gz":
            return path.absolute()
        copy = folder / "model.mps"
        copy.write_text(text, encoding="ascii")
        return copy


def _where(description: Description) -> str:
    """Return where a program that is missing was looked for."""
    return f"not in {description.folder}" if "/" in description.program else "not on PATH"


def command_solver(description: Description) -> type[Command]:
    """Return the adapter class of a description."""
    attributes = {"name": description.name, "title": description.title, "description": description}
    return type(f"Command_{description.name}", (Command,), {**attributes, "__module__": __name__})


_DEFAULTS = {"threads": "1", "mip_gap": "0"}
"""The defaults as words outside of an inner list have them."""


def _settings(request: SolveRequest) -> dict[str, str]:
    """Return the values of the placeholders, without those that are the default."""
    values = {"seed": str(1 + request.seed % _MAX_SEED)}
    if request.threads != 1:
        values["threads"] = str(request.threads)
    if request.mip_gap > 0:
        values["mip_gap"] = repr(request.mip_gap)
    if request.node_limit is not None:
        values["node_limit"] = str(request.node_limit)
    return values


def _ends_by_itself(process: subprocess.Popen[bytes], relay: Relay, time_limit_seconds: float) -> bool:
    """Wait for the end. Returns False if the program has to be ended: the listener wants it, or time is up.

    After the time limit the program may be writing its solution, so it has some more time, and a stop is not asked for.
    """
    deadline = time.monotonic() + relay.seconds_left(time_limit_seconds) + OVERTIME_SECONDS
    while time.monotonic() < deadline:
        if relay.seconds_left(time_limit_seconds) > 0 and relay.stop():
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
            return True
    return False


def _log_text(path: Path, most: int = _MAX_LOG_BYTES) -> str:
    """Return the end of a log; an empty text if the program wrote none."""
    file = open_own_file(path)
    if file is None:
        return ""
    with file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - most))
        return file.read(most).decode(errors="replace")


def _solution(path: Path, n_columns: int) -> bytes:
    """Read a solution file, up to one byte more than it may hold; empty if there is none."""
    file = open_own_file(path)
    if file is None:
        return b""
    with file:
        return file.read(max_bytes(n_columns) + 1)
