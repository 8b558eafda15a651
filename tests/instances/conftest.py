"""Fixtures that the tests of several rooms share."""

from __future__ import annotations

import pytest

from vnnbench.instances.datasets.dataset import Dataset, load_dataset


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """The data set of 8x8 digits; its arrays are read-only."""
    return load_dataset("digits", 8)
