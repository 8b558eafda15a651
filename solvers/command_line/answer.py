"""The answer of a program, read from its log and its solution file by the patterns of its TOML."""

from __future__ import annotations

import math
from array import array

from vnnbench.solvers.base import ModelAsRead, Termination
from vnnbench.solvers.command_line.description import Description
from vnnbench.solvers.command_line.patterns import PatternError, Search
from vnnbench.solvers.command_line.solution_columns import whole
from vnnbench.solvers.command_line.solution_files import max_bytes, read_columns, text_of_solution
from vnnbench.solvers.relay import Answer

_WITHOUT_SOLUTION = (Termination.INFEASIBLE, Termination.INFEASIBLE_OR_UNBOUNDED)


class Reading:
    """A reading of one answer; its patterns may take so many seconds of processor time, all together."""

    def __init__(self, description: Description, seconds: float) -> None:
        self._description = description
        self._search = Search(seconds)

    def answer(self, log: str, written: bytes, model: ModelAsRead, returncode: int, mip_gap: float) -> Answer:
        """Return the program's answer; an error, without a bound or a solution, if any part of it is not understood.

        written: the solution file, empty if there is none. mip_gap: with 0, the objective of an optimum is a bound.
        """
        try:
            return self._answer(log, written, model, returncode, mip_gap)
        except ValueError as error:
            message = f"{self._description.name}: {error}"
            return Answer(Termination.ERROR, _exit_status(returncode), message=message)

    def _answer(self, log: str, written: bytes, model: ModelAsRead, returncode: int, mip_gap: float) -> Answer:
        text = f"{log}\n{written.decode(errors='replace')}"
        termination, raw_status = self._status(text, returncode)
        if termination is Termination.ERROR:
            return Answer(termination, raw_status, message=self.complaint(text))
        dual_bound = self._dual_bound(text, model)
        objective = columns = None
        if self._has_solution(text, written, termination):
            columns = self._columns(written, model)
            objective = self._objective(text, model, columns)
            if termination is Termination.OPTIMAL and mip_gap == 0:
                dual_bound = objective  # which `optimal` claims
        elif termination is Termination.OPTIMAL:
            raise ValueError("says optimal, but the pattern `feasible` of [solution] matches nothing")
        nodes = self._search.last(self._description.nodes, text) if self._description.nodes else None
        return Answer(
            termination=termination,
            raw_status=raw_status,
            objective=objective,
            columns=columns,
            dual_bound=dual_bound,
            nodes=whole(nodes) if nodes else None,
        )

    def complaint(self, text: str) -> str:
        """Return the message of an error: the text that the pattern of an error matches, else the last line."""
        patterns = [status.pattern for status in self._description.statuses if status.termination is Termination.ERROR]
        try:
            found = next((match[0] for pattern in patterns if (match := self._search.first(pattern, text))), "")
        except PatternError as error:
            return str(error)
        lines = [line for line in text.splitlines() if line.strip()]
        return _line(found or (lines[-1] if lines else "it printed nothing"))

    def _status(self, text: str, returncode: int) -> tuple[Termination, str]:
        if returncode < 0:
            return Termination.ERROR, _exit_status(returncode)
        for status in self._description.statuses:
            found = self._search.first(status.pattern, text)
            if found:
                return status.termination, _line(found[0]) or status.termination.value
        return Termination.ERROR if returncode else Termination.UNRESOLVED, _exit_status(returncode)

    def _has_solution(self, text: str, written: bytes, termination: Termination) -> bool:
        """Return whether the program says that its file holds a solution. If it says infeasible and writes no file, a
        pattern that matches too much is ignored."""
        if termination in _WITHOUT_SOLUTION and not written:
            return False
        return self._search.first(self._description.feasible, text) is not None

    def _columns(self, written: bytes, model: ModelAsRead) -> array[float]:
        description, most = self._description, max_bytes(len(model.column_names))
        try:
            if not written:
                raise ValueError("it is missing or empty, but the pattern `feasible` matches")
            if len(written) > most:
                raise ValueError(f"it holds more than {most} bytes, the most that is read")
            text = text_of_solution(written)
            return read_columns(text, model.column_names, description.solution, description.leaves_zeros_out).columns
        except ValueError as error:
            raise ValueError(f"solution file: {error}") from error

    def _objective(self, text: str, model: ModelAsRead, columns: array[float]) -> float:
        for pattern in self._description.objective:
            word = self._search.last(pattern, text)
            if word is not None:
                return self._in_file(_number(word), model)
        return math.fsum([model.offset, *(c * x for c, x in zip(model.objective, columns, strict=True))])

    def _dual_bound(self, text: str, model: ModelAsRead) -> float | None:
        """Return the last bound printed, lowered by how far it may be rounded, so that it is still a bound."""
        for bound in self._description.dual_bounds:
            word = self._search.last(bound.pattern, text)
            if word is not None:
                value = _number(word)
                return self._in_file(value - bound.absolute - bound.relative * abs(value), model)
        return None

    def _in_file(self, value: float, model: ModelAsRead) -> float:
        """Return the file's objective or bound for one of the program's."""
        return value + 2 * model.offset if self._description.negated_constant else value


def _exit_status(returncode: int) -> str:
    return f"killed by signal {-returncode}" if returncode < 0 else f"exit code {returncode}"


def _number(word: str) -> float:
    """Parse a number. Raises `ValueError`, one line."""
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"{word[:40]!r} in its log is not a number") from None


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
