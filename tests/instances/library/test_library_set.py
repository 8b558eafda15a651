"""Several libraries are searched as one: by hash, whatever an instance is called."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.library_set import LibrarySet


@pytest.fixture(scope="module")
def library(tiny_library: Path) -> Library:
    return Library.open(tiny_library)


def altered(library: Library, folder: str, **changes: str) -> Library:
    """Return the library with the first of its rows changed."""
    return replace(library, folder=Path(folder), rows=(replace(library.rows[0], **changes), *library.rows[1:]))


def test_an_instance_is_found_by_its_hash_in_the_library_that_has_it(library):
    other = altered(library, "other", instance_sha256="f" * 64)
    row = library.rows[0]
    for library_set in (LibrarySet((library, other)), LibrarySet((other, library))):
        assert library_set.find(row.instance_sha256) == (library, row)
        assert library_set.find("f" * 64) == (other, other.rows[0])
        assert library_set.find(library.rows[1].instance_sha256) == (library_set.libraries[0], library.rows[1])
        assert library_set.find("0" * 64) is None


def test_of_two_names_for_one_instance_the_wanted_one_is_taken(library):
    other, row = altered(library, "other", instance="renamed"), library.rows[0]
    for library_set in (LibrarySet((library, other)), LibrarySet((other, library))):
        assert library_set.find(row.instance_sha256, row.instance) == (library, row)
        assert library_set.find(row.instance_sha256, "renamed") == (other, other.rows[0])
        assert library_set.find(row.instance_sha256, "unknown") == (
            library_set.libraries[0],
            library_set.libraries[0].rows[0],
        )


def test_verified_places_are_in_the_given_order(library):
    wanted = {row.instance_sha256: row.instance for row in reversed(library.rows)}
    found = LibrarySet((library,)).verified(wanted, Path("results"))
    assert list(found.items()) == [(row.instance_sha256, (library, row)) for row in reversed(library.rows)]


def test_an_instance_that_no_library_has_is_named_with_a_remedy(library):
    other = altered(library, "other", instance_sha256="f" * 64)
    row = library.rows[0]
    with pytest.raises(LibraryError) as caught:
        LibrarySet((library, other)).verified({"0" * 64: "lost"}, Path("results"))
    assert str(caught.value) == (
        f"results: has runs on lost (hash 000000000000), which none of {library.folder}, other has; "
        "name every library that the runs were on, for --library can be repeated"
    )
    with pytest.raises(LibraryError, match=f"; the {row.instance} of other is another; name every"):
        LibrarySet((other,)).verified({row.instance_sha256: row.instance}, Path("results"))


def test_an_altered_file_is_reported(tiny_library, tmp_path):
    copy = Library.open(Path(shutil.copytree(tiny_library, tmp_path / "copy")))
    row = copy.rows[0]
    copy.model_path(row).write_bytes(b"nonsense")
    with pytest.raises(LibraryError, match=r"is not the file that library\.json knows"):
        LibrarySet((copy,)).verified({row.instance_sha256: row.instance}, Path("results"))
