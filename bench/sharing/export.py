"""`vnnbench export`: the problems of a library as neural network verifiers and the scripts of VNN-COMP read them.

1.0/, 2.0/                  for each version of VNN-LIB that can say a problem of the library
    instances.csv           a line for each problem: its network, its property, its time limit in seconds
    onnx/NETWORK.onnx       the dense network, without what `import` cuts off at the end of a classifier
    vnnlib/PROBLEM.vnnlib   the property, exactly

VNN-LIB 1.0 can say neither strict goals nor L1 balls. In 2.0 a problem over an L1 ball is a pair with the same answer:
its network onnx/PROBLEM--steps.onnx takes steps p and m from the centre, x = centre + p - m.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from pathlib import Path

from vnnbench.instances.errors import LibraryError, NetworkError, PropertyError
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.files import sha256
from vnnbench.instances.layout import vnnlib_file
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.instance_list import list_bytes, problems, time_limit_seconds
from vnnbench.instances.library.library import Library
from vnnbench.instances.onnx_files.reader import OnnxFile, parse_file
from vnnbench.instances.onnx_files.steps import on_steps
from vnnbench.instances.progress import Progress
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.properties.property import LinearProperty, VerifyProperty
from vnnbench.instances.properties.statements import statement_of, statement_on_steps
from vnnbench.instances.properties.vnnlib2_writer import vnnlib2_bytes
from vnnbench.instances.properties.vnnlib_writer import exact_vnnlib_bytes
from vnnbench.leaderboard.site.folder import Kind, check_place, write_folder

EXPORT = Kind("export", "export.json", "vnnbench export")
VERSIONS = ("1.0", "2.0")
_Line = tuple[str, str, float]


@dataclass(frozen=True, slots=True)
class Exported:
    """The outcome of an export. problems: how many there are. written: how many of them, by version. left_out: how many
    others, by version, None for both, and reason."""

    problems: int
    written: Counter[str]
    left_out: Counter[tuple[str | None, str]]


def export(library: Library, out: Path, select: Sequence[str], progress: Progress) -> Exported:
    """Write the problems of the selected instances to the folder `out`, in place of an export that is there.

    Raises `SiteError`: something else is there, or `out` cannot be written. Raises `InputError`: a file of the library
    is missing or altered, or neither version can say any of the problems.
    """
    check_place(out, EXPORT)
    rows = problems(library.select(select))
    work = _Export(library)
    progress.start(len(rows), 0)
    write_folder(out, work.files(rows, progress), EXPORT)
    return Exported(len(rows), Counter({version: len(work.lines[version]) for version in VERSIONS}), work.left_out)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A property about the dense network of an instance, which is a file at the path `network`."""

    row: CatalogRow
    prop: VerifyProperty | LinearProperty
    network: str
    file: OnnxFile


@dataclass(slots=True)
class _Export:
    """The state of an export: the lines of each list, the sha256 of the files so far, and what was left out."""

    library: Library
    lines: dict[str, list[_Line]] = field(default_factory=lambda: {version: [] for version in VERSIONS})
    known: dict[str, str] = field(default_factory=dict)
    left_out: Counter[tuple[str | None, str]] = field(default_factory=Counter)

    def files(self, rows: Sequence[CatalogRow], progress: Progress) -> Iterator[tuple[str, bytes]]:
        """Yield every file with its path in the folder. Raises as `export` does."""
        read = lru_cache(maxsize=1)(parse_file)
        for row in rows:
            problem = self.library.read_problem(row)
            if isinstance(problem, OverInputSet) and isinstance(problem.property, VerifyProperty | LinearProperty):
                relative = problem.data_files(row)["dense_network"]
                asked = _Asked(row, problem.property, relative, read(self.library.read_verified(relative), relative))
                _check_fit(asked, self.library)
                for version in VERSIONS:
                    yield from self._problem(version, asked)
            else:
                reason = f"the family is {row.family}, and VNN-LIB asks only whether a goal can be reached"
                self.left_out[None, reason] += 1
            progress.advance(row.problem)
        for version, lines in self.lines.items():
            if lines:
                yield f"{version}/instances.csv", list_bytes(lines)
        if not any(self.lines.values()):
            reason = next(reason for _, reason in self.left_out)
            raise LibraryError(f"{self.library.folder}: has no problem that VNN-LIB can say: {reason}")

    def _problem(self, version: str, asked: _Asked) -> Iterator[tuple[str, bytes]]:
        """Yield the files of a problem that are not there yet, and add its line; or note why it is left out."""
        row = asked.row
        name = _inner(vnnlib_file(row.property)).removesuffix(".vnnlib")
        network, data = _inner(asked.network), asked.file.deployed
        shape, n_outputs = asked.file.output_shape, prod(asked.file.output_shape)
        try:
            if version == "1.0":
                text = exact_vnnlib_bytes(asked.prop, n_outputs)
            elif asked.prop.input_set.norm is not Norm.L1:
                text = vnnlib2_bytes(statement_of(asked.prop, n_outputs), asked.file.input_shape, shape)
            else:
                statement = statement_on_steps(asked.prop, n_outputs)
                text = vnnlib2_bytes(statement, (1, statement.n_inputs), shape, _on_steps_comments(asked))
                network, data = f"{name}--steps.onnx", on_steps(data, asked.prop.input_set.centre)
        except (NetworkError, PropertyError) as error:
            self.left_out[version, str(error)] += 1
            return
        paths = {f"onnx/{network}": data, f"vnnlib/{name}.vnnlib": text}
        for relative, content in paths.items():
            path, digest = f"{version}/{relative}", sha256(content)
            if path not in self.known:
                self.known[path] = digest
                yield path, content
            elif self.known[path] != digest:
                raise LibraryError(f"{self.library.folder}: two different files would be called {path} in the export")
        onnx, vnnlib = paths
        self.lines[version].append((onnx, vnnlib, time_limit_seconds(row)))


def _check_fit(asked: _Asked, library: Library) -> None:
    n_inputs, n_outputs = prod(asked.file.input_shape), prod(asked.file.output_shape)
    if n_inputs != asked.prop.input_set.n_inputs or n_outputs <= asked.prop.goal.last_output:
        raise LibraryError(f"{library.folder}: {asked.row.property} does not fit the tensors of {asked.network}")


def _on_steps_comments(asked: _Asked) -> list[str]:
    n = asked.prop.input_set.n_inputs
    return [
        f"The network takes steps from the centre of an L1 ball: X[0,0] to X[0,{n - 1}] are p, the other {n} are m.",
        "Its first layer computes x = centre + p - m, an input of the library's network.",
    ]


def _inner(relative: str) -> str:
    """Return a path without its first folder."""
    return relative.partition("/")[2] or relative
