"""The import of a whole benchmark folder: every pair that instances.csv lists, with its time limit."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vnnbench.instances.bounds.levels import BoundLevel
from vnnbench.instances.errors import InputError, ModelError, NameInUseError, NetworkError, PropertyError
from vnnbench.instances.files import sha256
from vnnbench.instances.generation.import_instance import (
    SourceNetwork,
    SourceQuery,
    Wanted,
    check_pair,
    instance_name,
    make_instances,
    read_query_text,
)
from vnnbench.instances.generation.instances_csv import ListedPair, read_instances
from vnnbench.instances.layout import network_file
from vnnbench.instances.library.additions import GrowingLibrary, growing
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.progress import NotingProgress
from vnnbench.instances.properties.questions import MAX_PARTS

_REFUSALS = (NetworkError, PropertyError, ModelError, NameInUseError)
"""The errors of one pair. All others, such as a full disk, end the import."""
_NUMBER = re.compile(r"\d[\d.]*(e[-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """What became of a pair: its rows in the library and whether they are new, or the message of its refusal."""

    pair: ListedPair
    rows: tuple[CatalogRow, ...] = ()
    is_new: bool = False
    refusal: str | None = None

    @property
    def reason(self) -> str | None:
        """The refusal without what differs between pairs: the names of their files and instances, and numbers."""
        if self.refusal is None:
            return None
        pair = self.pair
        own = [str(pair.onnx), str(pair.vnnlib), network_file(pair.network)]
        names = "|".join([*map(re.escape, own), rf"{re.escape(pair.name)}(-box\d+)?--\w+"])
        return _NUMBER.sub("0", re.sub(names, "", self.refusal))


@dataclass(frozen=True, slots=True)
class BenchmarkImport:
    """The outcomes of all pairs of a list."""

    outcomes: tuple[PairOutcome, ...]

    @property
    def added(self) -> list[PairOutcome]:
        return [outcome for outcome in self.outcomes if outcome.is_new]

    @property
    def there(self) -> list[PairOutcome]:
        """The pairs that the library had before."""
        return [outcome for outcome in self.outcomes if outcome.refusal is None and not outcome.is_new]

    @property
    def refused(self) -> list[PairOutcome]:
        return [outcome for outcome in self.outcomes if outcome.refusal is not None]

    def reasons(self) -> list[tuple[int, str]]:
        """Return the reasons of refusals: the number of pairs of each and the message about the first, most first."""
        examples: defaultdict[str | None, list[str]] = defaultdict(list)
        for outcome in self.refused:
            examples[outcome.reason].append(str(outcome.refusal))
        return sorted(((len(messages), messages[0]) for messages in examples.values()), key=lambda found: -found[0])


def import_benchmark(
    folder: Path, instances: Path, level: BoundLevel | None, progress: NotingProgress
) -> BenchmarkImport:
    """Add every pair of the list `instances` to the library in `folder`, with its limit as the default time limit.

    Pairs are imported as by `import_instance`, network by network, so that one network at a time is in memory and each
    is parsed once. A pair that is refused is left out. A pair that is in the library, by the record of the sha256 of
    its files, is not bounded again: so an import that was stopped continues. Raises `InputError`: the list is broken,
    or the library cannot be written.
    """
    pairs = read_instances(instances)
    of_network: defaultdict[Path | None, list[ListedPair]] = defaultdict(list)
    for pair in pairs:
        of_network[pair.onnx].append(pair)
    outcomes = []
    with growing(folder) as library:
        progress.start(len(pairs), 0)
        importer = _Importer(library, level, progress)
        for onnx, own in of_network.items():
            for outcome in importer.import_all(onnx, own):
                outcomes.append(outcome)
                progress.advance(outcome.pair.name)
    return BenchmarkImport(tuple(outcomes))


class _Importer:
    """The import of pairs into a library at one level of bounds, None for that of `default_bounds`.

    It knows the recorded origins: the number of parts by (sha256 of the network, of the property, name of an instance).
    """

    def __init__(self, library: GrowingLibrary, level: BoundLevel | None, progress: NotingProgress) -> None:
        self._library, self._level, self._progress = library, level, progress
        self._parts: dict[tuple[object, ...], object] = {}
        for origin in library.origins():
            key = tuple(origin.get(name) for name in ("onnx_sha256", "vnnlib_sha256", "instance"))
            if all(isinstance(value, str) for value in key):
                self._parts[key] = origin.get("parts", 1)

    def import_all(self, onnx: Path | None, pairs: Sequence[ListedPair]) -> Iterator[PairOutcome]:
        """Import the pairs of one network, and yield the outcome of each."""
        network: SourceNetwork | InputError
        try:
            network = SourceNetwork.read(onnx) if onnx else NetworkError("several networks are not supported")
        except NetworkError as error:
            network = error
        for pair in pairs:
            try:
                yield self._import(network, pair)
            except _REFUSALS as error:
                yield PairOutcome(pair, refusal=str(error) if onnx else f"{pair.vnnlib}: {error}")

    def _import(self, network: SourceNetwork | InputError, pair: ListedPair) -> PairOutcome:
        if isinstance(network, InputError):
            raise network
        text = read_query_text(pair.vnnlib)
        wanted = Wanted(pair.name, pair.network, self._level, pair.time_limit_seconds)
        digests = network.digest, sha256(text)
        if rows := self._rows_of(wanted, digests):
            return PairOutcome(pair, rows)
        self._library.refuse_other_files({network_file(pair.network): network.data})
        question = SourceQuery.parse(pair.vnnlib, text)
        check_pair(network, question, self._progress)
        additions = make_instances(network, question, wanted, lambda: None)
        is_new = self._library.add(additions)
        rows = tuple(addition.row for addition in additions)
        self._parts |= {(*digests, row.instance): len(rows) for row in rows}
        return PairOutcome(pair, rows, is_new)

    def _rows_of(self, wanted: Wanted, digests: tuple[str, str]) -> tuple[CatalogRow, ...]:
        """Return the rows of a pair that is in the library, with all its files; else none.

        Raises `NameInUseError` if it is there with other bounds.
        """
        first = [instance_name(names[0]) for names in (wanted.problems(1), wanted.problems(2))]
        n = next((self._parts[*digests, name] for name in first if (*digests, name) in self._parts), 0)
        if not isinstance(n, int) or not 0 < n <= MAX_PARTS:
            return ()
        rows = []
        for name in wanted.problems(n):
            row = self._library.row(instance_name(name))
            if row is None or not self._library.is_intact(row):
                return ()
            if self._level is not None and row.bounds != self._level:
                raise NameInUseError(
                    f"{row.instance}: is there with bounds {row.bounds}; use --bounds {row.bounds}, or another library"
                )
            rows.append(row)
        return tuple(rows)
