"""The layout of CPLEX's solution files: XML, read event by event, without entities or external files."""

from __future__ import annotations

from xml.parsers import expat

from vnnbench.solvers.command_line.solution_columns import Columns, Lines, SolutionError, decimal, quoted

_NONZEROS_ONLY = "3"
"""CPLEX's write level "all nonzero variables", as the file states it. At other levels that leave variables out, the
absent ones are not known to be 0."""


def read_cplex(lines: Lines, columns: Columns) -> None:
    """Read each `<variable name= value=>` in the section `variables` of the one `<CPLEXSolution>`. Raises
    `SolutionError`: not well-formed, cut off, with a document type, another document, several solutions."""
    reader = _Reader(columns)
    parser = expat.ParserCreate("utf-8")

    def start(tag: str, attributes: dict[str, str]) -> None:
        reader.start(parser.CurrentLineNumber, tag, attributes)

    def doctype(*_: object) -> None:
        raise SolutionError(parser.CurrentLineNumber, "a document type is not allowed")

    parser.StartElementHandler = start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(lines.text.encode(), True)
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        raise SolutionError(error.lineno, f"it is not complete and well-formed XML ({what})") from error


class _Reader:
    """The state of the parser: its position in the document, and the solutions so far."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._path: list[str] = []
        self._solutions = 0

    def start(self, line: int, tag: str, attributes: dict[str, str]) -> None:
        inside = self._path[-2:]
        if not self._path and tag not in ("CPLEXSolution", "CPLEXSolutions"):
            raise SolutionError(line, f"the XML is {quoted(tag)}, not a CPLEXSolution")
        self._path.append(tag)
        if tag == "CPLEXSolution":
            self._solutions += 1
            if self._solutions > 1:
                raise SolutionError(line, "a second solution begins here; leave one")
        elif inside == ["CPLEXSolution", "variables"]:
            if tag != "variable" or not {"name", "value"} <= set(attributes):
                raise SolutionError(line, f"{quoted(tag)} is not a variable with name and value")
            self._columns.put(line, attributes["name"], attributes["value"])
        elif tag == "variable":
            raise SolutionError(line, "a variable stands outside of the variables of a solution")
        elif tag == "header":
            self._columns.zeros_left_out = attributes.get("writeLevel") == _NONZEROS_ONLY
            self._columns.objective = decimal(attributes.get("objectiveValue", ""))

    def end(self, _tag: str) -> None:
        self._path.pop()
