"""A run's own copy of its model file. A solver may change it, because answers are judged with the library's file, whose
path the solver does not get. A solver that does not read the model gets copies of the instance's data beside it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from vnnbench.errors import ResultsError
from vnnbench.references.inputs import PROPERTY_NAME, input_name
from vnnbench.runs.instance_cache import InstanceCache
from vnnbench.runs.plan import PlannedRun


@dataclass(frozen=True, slots=True)
class ModelCopy:
    """The copy of a model at `path`. files: the bytes with which it and the files beside it were written."""

    path: Path
    files: dict[Path, bytes]

    @classmethod
    def make(cls, plan: PlannedRun, cache: InstanceCache, folder: Path) -> ModelCopy:
        """Write the copy: the library's file byte by byte, or its planned permutation. Raises `LibraryError` where the
        library's file is not as in the manifest, `ResultsError` where the copy cannot be written."""
        library = cache.library
        path, data = folder / Path(plan.row.model).name, library.read_verified(plan.row.model)
        if plan.permutation:
            path, data = folder / "permuted.mps.gz", cache.permuted(plan.row, plan.permutation)
        files = {path: data}
        if not plan.setting.reads_model:
            files[folder / PROPERTY_NAME] = library.read_verified(plan.row.property)
            for part, relative in plan.row.data_files().items():
                if part != "dense_network":  # which only the judge evaluates
                    files[folder / input_name(part, relative)] = library.read_verified(relative)
        for copy, content in files.items():
            try:
                copy.write_bytes(content)
            except OSError as error:
                raise ResultsError(f"{copy}: cannot be written ({error.strerror})") from error
        return cls(path, files)

    def changed(self) -> list[str]:
        """Return the names of the files that were changed, removed or replaced."""
        return [path.name for path, data in self.files.items() if not _holds(path, data)]


def _holds(path: Path, data: bytes) -> bool:
    """Return whether this is a file with these contents. A solver may have replaced it, for example by a pipe."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            return stat.S_ISREG(status.st_mode) and status.st_size == len(data) and file.read() == data
    except OSError:
        return False
