"""The reader of instances.csv, which lists the instances of a benchmark folder of VNN-COMP.

    onnx/net.onnx,vnnlib/prop_1.vnnlib,116

A line has a network, a property and a time limit in seconds. Paths are relative to the folder of the list, with or
without "./", and a file may be there as .gz only. Fields may be quoted and have blanks around them; lines may end in
CRLF; empty lines and a byte order mark are skipped. Several networks are one field, "[('f', 'onnx/a.onnx'), ..]".
Source: the script `run_all_categories.sh` of VNN-COMP, and its benchmarks of 2022 to 2026.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vnnbench.common.numbers import MAX_SECONDS
from vnnbench.instances.errors import LibraryError, PropertyError
from vnnbench.instances.files import read_plain
from vnnbench.instances.generation.import_names import UniqueNames, network_name, problem_name
from vnnbench.instances.limits import MAX_INSTANCES, MAX_LIST_BYTES


@dataclass(frozen=True, slots=True)
class ListedPair:
    """A line of the list: the files of a network and of a property, .gz or not, and the time limit.

    onnx is None if the line names several networks. name, network: the names of problem and network in a library.
    """

    onnx: Path | None
    vnnlib: Path
    time_limit_seconds: float
    name: str
    network: str


def read_instances(path: Path) -> list[ListedPair]:
    """Return the lines of a list in their order.

    Names are made from those of the files (`import_names`); if other files of the list have the same, the second ones
    get the suffix -2. Whether a file exists is not checked. Raises `InputError`, which names the line: it is not of the
    form in the module's docstring, or a path leads out of the folder, be it through a link.
    """
    networks, problems = UniqueNames(), UniqueNames()
    root = os.path.realpath(path.parent)
    pairs = []
    for line, (onnx_text, vnnlib_text, seconds) in _records(path):
        where = f"{path}, line {line}: "
        vnnlib, limit = _file(path.parent, root, vnnlib_text, where), _limit(seconds, where)
        if onnx_text.startswith("["):
            pairs.append(ListedPair(None, vnnlib, limit, "", ""))
            continue
        onnx = _file(path.parent, root, onnx_text, where)
        files = os.path.realpath(onnx), os.path.realpath(vnnlib)
        try:
            network = networks.of(files[0], network_name(onnx))
            name = problems.of(files, problem_name(onnx, vnnlib))
        except LibraryError as error:
            raise PropertyError(f"{where}{error}") from error
        pairs.append(ListedPair(onnx, vnnlib, limit, name, network))
    if not pairs:
        raise PropertyError(f"{path}: does not list an instance; a line is NETWORK.onnx,PROPERTY.vnnlib,SECONDS")
    return pairs


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line that is not empty, and its three fields. Raises `PropertyError`."""
    data = read_plain(path, MAX_LIST_BYTES, PropertyError)
    n = 0
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), skipinitialspace=True)
        for record in reader:
            fields = [field.strip() for field in record]
            if not any(fields):
                continue
            if len(fields) != 3 or not all(fields):
                raise PropertyError(f"{path}, line {reader.line_num}: is not NETWORK.onnx,PROPERTY.vnnlib,SECONDS")
            n += 1
            if n > MAX_INSTANCES:
                raise PropertyError(f"{path}: lists more than {MAX_INSTANCES} instances, the most that is read")
            yield reader.line_num, fields
    except (UnicodeDecodeError, csv.Error) as error:
        raise PropertyError(f"{path}: is not a CSV file ({error})") from error


def _file(folder: Path, root: str, text: str, where: str) -> Path:
    """Return the path of a file of the folder, with .gz if only that is there. Raises `PropertyError`: it is outside.

    root: the folder without links.
    """
    plain = folder / text
    zipped = plain.with_name(f"{plain.name}.gz") if plain.name else plain
    try:
        path = zipped if not plain.exists() and zipped.exists() else plain
        resolved = os.path.realpath(path)
    except (OSError, ValueError) as error:  # too long, in a closed folder, with a null character
        what = getattr(error, "strerror", None) or error
        raise PropertyError(f"{where}{text[:200]!r} cannot be a path here ({what})") from error
    if Path(text).is_absolute() or not resolved.startswith(f"{root.rstrip('/')}/"):
        raise PropertyError(f"{where}{text[:200]!r} leads out of the folder of the list; use a path within it")
    return path


def _limit(text: str, where: str) -> float:
    try:  # `float` takes 1_0 and digits of any script
        seconds = float(text) if text.isascii() and "_" not in text else 0.0
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_SECONDS:
        raise PropertyError(f"{where}the time limit is {text[:40]!r}; give seconds above 0 and at most {MAX_SECONDS}")
    return seconds
