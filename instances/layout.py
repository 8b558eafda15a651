"""Where each file of a library lies, relative to its folder (DESIGN 5): the only place that spells these paths.

It stands before the families, which say what files an instance has, and before the library, which reads them.
"""

from __future__ import annotations

from vnnbench.instances.limits import (
    MAX_CATALOG_BYTES,
    MAX_LIBRARY_FILE_BYTES,
    MAX_PICTURE_BYTES,
    PROPERTY_LIMIT,
    SEAL_LIMIT,
)

MANIFEST, CATALOG, TIMINGS, PROVENANCE = "library.json", "catalog.csv", "timings.csv", "provenance.json"
SEALED = "sealed.json"
"""Planted answers, see `sealed_answers`; the only file of the manifest that a library may be without."""
ANSWERS, PROOFS = "answers.csv", "proofs"
"""Proven answers and the folder of their proofs, which have a manifest of their own."""
NEXT_MANIFEST, NEXT_CATALOG = "library.next.json", "catalog.next.csv"
"""What a growing library is about to have, see `additions`. The manifest decides which catalogue counts."""
STATE = ".generation"
"""The folder of what a generation keeps until it is finished, see `generation.checkpoint`."""
ASIDE = ".mending"
"""The folder in which files are made again, see `generation.repair`."""

_NETWORKS, _PROPERTIES, _MODELS, _PICTURES = "networks/", "properties/", "models/", "pictures/"
_PROPERTY_SUFFIX = ".json"


def network_file(network: str) -> str:
    """Return the path of a network by its name; also in the folder `STATE` for one that no instance has."""
    return f"{_NETWORKS}{network}.onnx"


def property_file(problem: str) -> str:
    """Return the path of the property of a problem."""
    return f"{_PROPERTIES}{problem}{_PROPERTY_SUFFIX}"


def vnnlib_file(property_path: str) -> str:
    """Return the path of what says the same as a property in VNN-LIB, where that can say it."""
    return f"{property_path.removesuffix(_PROPERTY_SUFFIX)}.vnnlib"


def model_file(instance: str) -> str:
    """Return the path of the model of an instance."""
    return f"{_MODELS}{instance}.mps.gz"


def picture_file(problem: str) -> str:
    """Return the path of the clean input of a problem, where that is an image."""
    return f"{_PICTURES}{problem}.png"


def is_network(relative: str) -> bool:
    """Whether this is the path of a network."""
    return relative.startswith(_NETWORKS)


def is_model(relative: str) -> bool:
    """Whether this is the path of a model."""
    return relative.startswith(_MODELS)


def most_bytes(relative: str) -> int:
    """Return how large the file at this path may be as it lies on the disk."""
    if relative.startswith(_PROPERTIES) and relative.endswith(_PROPERTY_SUFFIX):
        return PROPERTY_LIMIT.bytes
    if relative.startswith(_PICTURES):
        return MAX_PICTURE_BYTES
    return {CATALOG: MAX_CATALOG_BYTES, SEALED: SEAL_LIMIT.bytes}.get(relative, MAX_LIBRARY_FILE_BYTES)
