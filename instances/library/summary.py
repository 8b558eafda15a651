"""The summary of a library by network, surrogate and formulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.layout import SEALED
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library


@dataclass(frozen=True, slots=True)
class GridRow:
    """The instances of one architecture, surrogate and formulation, with all seeds.

    Every number except `instances` is a mean. architecture: that of the dense network; in a family without networks,
    the problem without its seed. accuracy: test accuracy of the instance's own network. unstable_share:
    the share of hidden neurons that are unstable. model_bytes: size of the model file; a network is stored once for all
    its instances. samples, features: of training problems; None for others.
    """

    architecture: str
    pruning: str
    structure: str
    rate: float | None
    finetuned: int
    formulation: str
    instances: int
    accuracy: float | None
    rows: float
    columns: float
    binaries: float
    unstable_share: float | None
    model_bytes: float
    samples: float | None
    features: float | None


def grid_summary(library: Library) -> list[GridRow]:
    """Return one row for each architecture, surrogate and formulation, in the order of the catalogue."""
    groups: dict[tuple[str, str, str, float | None, int, str], list[CatalogRow]] = {}
    for row in library.rows:
        key = (_architecture(row), row.pruning, row.structure, row.rate, row.finetuned, row.formulation)
        groups.setdefault(key, []).append(row)
    return [
        GridRow(
            *key,
            instances=len(rows),
            accuracy=_mean(rows, lambda row: row.accuracy),
            rows=fmean(row.rows for row in rows),
            columns=fmean(row.columns for row in rows),
            binaries=fmean(row.binaries for row in rows),
            unstable_share=_mean(rows, _unstable_share),
            model_bytes=fmean(_file_size(library, row.model) for row in rows),
            samples=_mean(rows, lambda row: row.samples),
            features=_mean(rows, lambda row: row.features),
        )
        for key, rows in groups.items()
    ]


def library_bytes(library: Library) -> int:
    """Return the size of all files of the manifest except the sealed one.

    These are models, and networks, properties and pictures, each stored once.
    """
    return sum(_file_size(library, relative) for relative in library.hashes if relative != SEALED)


def _architecture(row: CatalogRow) -> str:
    """Return the dense network's name without its seed, such as mnist-28x28-4x64; or the problem's without it."""
    name = row.dense_network or row.problem
    return name if row.seed is None else name.removesuffix(f"-s{row.seed}")


def _unstable_share(row: CatalogRow) -> float | None:
    if row.stable_active is None or row.stable_inactive is None or row.unstable is None:
        return None
    hidden = row.stable_active + row.stable_inactive + row.unstable
    return row.unstable / hidden if hidden else None


def _file_size(library: Library, relative: str) -> int:
    path = library.folder / relative
    try:
        return path.stat().st_size
    except OSError as error:
        raise LibraryError(f"{path}: cannot be read ({error.strerror}); {library.advice(relative)}") from error


def _mean(rows: list[CatalogRow], value: Callable[[CatalogRow], float | None]) -> float | None:
    known = [number for row in rows if (number := value(row)) is not None]
    return fmean(known) if known else None
