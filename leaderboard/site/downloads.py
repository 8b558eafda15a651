"""The tables and the bibliography that a site offers as files beside its pages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from vnnbench.leaderboard.records.processors import HOST
from vnnbench.leaderboard.serialization import csv_text
from vnnbench.leaderboard.site.citations import Reference, bibliography
from vnnbench.leaderboard.site.content import Contents, Record
from vnnbench.leaderboard.tables.render import Format, write_leaderboard


@dataclass(frozen=True, slots=True)
class Download:
    """A file with its name and a description."""

    name: str
    about: str
    data: bytes


def downloads(contents: Contents, own: Reference | None) -> list[Download]:
    """Return the leaderboard, every run and what to cite, with `own`, the site itself."""
    files = []
    for form, about in ((Format.CSV, "one row per setting, unrounded"), (Format.JSON, "everything in the tables")):
        text = io.StringIO()
        write_leaderboard(contents.leaderboard, form, text)
        files.append(Download(f"leaderboard.{form.value}", about, text.getvalue().encode()))
    return [
        *files,
        Download("runs.csv", "one row per run, every field of the ledger but hosts", _runs_csv(contents.records)),
        Download("vnnbench.bib", "works to cite, as BibTeX", bibliography(own).encode()),
    ]


def _runs_csv(records: Sequence[Record]) -> bytes:
    hidden = {"setting_numbers", "counted_first", "is_wrong", "dual_steps", "primal_steps", HOST}
    names = [name for name in records[0] if name not in hidden] if records else []
    return csv_text(names, ([record[name] for name in names] for record in records)).encode()
