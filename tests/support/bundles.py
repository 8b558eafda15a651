"""Bundles by their members, so that tests can change what a bundle holds."""

from __future__ import annotations

import zipfile
from pathlib import Path

import orjson
import pytest

from vnnbench.errors import BundleError
from vnnbench.instances.files import sha256
from vnnbench.sharing.bundle import Bundle

Members = dict[str, bytes]
"""The bytes of a bundle's members by name."""


def members_of(path: Path) -> Members:
    """Return the members of a bundle."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_manifest(members: Members) -> Members:
    """Return the same members with a manifest that lists what is there."""
    files = {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in members.items() if "man" not in name}
    document = orjson.loads(members["manifest.json"]) | {"files": files}
    return {**members, "manifest.json": orjson.dumps(document)}


def zipped(path: Path, members: Members, method: int = zipfile.ZIP_STORED) -> Path:
    """Write the members as a bundle and return its path."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def refusal(path: Path) -> str:
    """Return why a bundle is refused, when it is opened or a run of it read; one line that names it."""
    with pytest.raises(BundleError) as refused, Bundle(path) as bundle:
        for run in bundle.runs:
            bundle.read(run)
    message = str(refused.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 400, message
    return message
