"""Ledgers without a library, and the site of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.ledger_builder import LedgerBuilder
from support.pairs import Pairs
from support.rankings import add_two_solvers
from support.tiny_sites import tiny_source
from vnnbench.leaderboard.site.content import Source
from vnnbench.leaderboard.site.folder import write_folder
from vnnbench.leaderboard.site.pages import site_files


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerBuilder]:
    """An empty ledger."""
    with closing(LedgerBuilder(tmp_path / "ledger.sqlite")) as builder:
        yield builder


@pytest.fixture
def two_solvers(ledger: LedgerBuilder) -> LedgerBuilder:
    """The runs of `add_two_solvers`, in `ledger`."""
    add_two_solvers(ledger)
    return ledger


@pytest.fixture
def pairs(ledger: LedgerBuilder) -> Pairs:
    """A builder of runs on dense networks and their surrogates in `ledger`."""
    return Pairs(ledger)


@pytest.fixture
def site_source(ledger: LedgerBuilder) -> Source:
    """The source of the site of `tiny_source`."""
    return tiny_source(ledger)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site of `tiny_source`, written."""
    folder = tmp_path_factory.mktemp("site")
    with closing(LedgerBuilder(folder / "ledger.sqlite")) as builder:
        write_folder(folder / "site", site_files(tiny_source(builder)))
    return folder / "site"
