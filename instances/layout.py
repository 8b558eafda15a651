"""The paths of a library's files, relative to its folder: no other module spells them.

`instances/README.md`, section "A library on disk", describes the files. The families, which know the files of an
instance, and the library, which reads them, import this module.
"""

from __future__ import annotations

from vnnbench.instances.limits import (
    MAX_ANSWERS_BYTES,
    MAX_CATALOG_BYTES,
    MAX_LIBRARY_FILE_BYTES,
    MAX_PICTURE_BYTES,
    PROOFS_LIMIT,
    PROPERTY_LIMIT,
    SEAL_LIMIT,
)

MANIFEST, CATALOG, TIMINGS, PROVENANCE = "library.json", "catalog.csv", "timings.csv", "provenance.json"
INSTANCES = "instances.csv"
"""The list of the problems for neural network verifiers (`library.instance_list`), which older libraries lack."""
SEALED = "sealed.json"
"""The planted answers (`sealed_answers`); the only file of the manifest that a library may lack."""
ANSWERS, PROOFS, PROOFS_MANIFEST = "answers.csv", "proofs", "proofs/manifest.json"
"""The proven answers, the folder of their proofs, and the manifest of both, in that folder (`proven_answers`)."""
NEXT_MANIFEST = "library.next.json"
NEXT_TABLES = {CATALOG: "catalog.next.csv", INSTANCES: "instances.next.csv"}
"""The next manifest of a growing library (`additions`), and its next tables by their later names. The manifest decides
which tables count."""
STATE = ".generation"
"""The folder of the results that a generation keeps until it is finished (`generation.checkpoint`)."""
ASIDE = ".mending"
"""The folder in which files are regenerated (`generation.repair`)."""

_NETWORKS, _PROPERTIES, _MODELS, _PICTURES = "networks/", "properties/", "models/", "pictures/"
FOLDERS = tuple(path.rstrip("/") for path in (_NETWORKS, _PROPERTIES, _MODELS, _PICTURES))
"""The folders of a library's files."""
_PROPERTY_SUFFIX, _WAITING = ".json", ".next"


def network_file(network: str) -> str:
    """Return the path of a network by its name; in the folder `STATE` also of a network without instances."""
    return f"{_NETWORKS}{network}.onnx"


def property_file(problem: str) -> str:
    """Return the path of the property of a problem."""
    return f"{_PROPERTIES}{problem}{_PROPERTY_SUFFIX}"


def vnnlib_file(property_path: str) -> str:
    """Return the path of the VNN-LIB file of a property, which exists if VNN-LIB can express the property."""
    return f"{property_path.removesuffix(_PROPERTY_SUFFIX)}.vnnlib"


def model_file(instance: str) -> str:
    """Return the path of the model of an instance."""
    return f"{_MODELS}{instance}.mps.gz"


def picture_file(problem: str) -> str:
    """Return the path of the picture of a problem's clean input, which exists if the input is an image."""
    return f"{_PICTURES}{problem}.png"


def proof_file(problem: str) -> str:
    """Return the path of the proof of a problem's answer."""
    return f"{PROOFS}/{problem}.npz"


def next_proof_file(relative: str) -> str:
    """Return the path at which a proof or the table of answers waits for the next manifest (`answer_additions`)."""
    return f"{PROOFS}/{relative.rpartition('/')[2]}{_WAITING}"


def is_waiting(relative: str) -> bool:
    """Return whether this is the path of a proof or a table that waits for the next manifest."""
    return relative.startswith(f"{PROOFS}/") and relative.endswith(_WAITING)


def is_network(relative: str) -> bool:
    """Return whether this is the path of a network."""
    return relative.startswith(_NETWORKS)


def is_model(relative: str) -> bool:
    """Return whether this is the path of a model."""
    return relative.startswith(_MODELS)


def most_bytes(relative: str) -> int:
    """Return the largest allowed size in bytes of the file at this path, as stored on disk."""
    if relative.startswith(_PROPERTIES) and relative.endswith(_PROPERTY_SUFFIX):
        return PROPERTY_LIMIT.bytes
    if relative.startswith(_PICTURES):
        return MAX_PICTURE_BYTES
    limits = {
        CATALOG: MAX_CATALOG_BYTES,
        SEALED: SEAL_LIMIT.bytes,
        ANSWERS: MAX_ANSWERS_BYTES,
        PROOFS_MANIFEST: PROOFS_LIMIT.bytes,
    }
    return limits.get(relative, MAX_LIBRARY_FILE_BYTES)
