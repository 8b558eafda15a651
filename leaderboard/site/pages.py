"""All files of a site: `site_files` yields them with their relative paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from itertools import starmap

from markupsafe import Markup

from vnnbench.leaderboard.ranking.tolerance import TOLERANCES
from vnnbench.leaderboard.records.processors import CPU
from vnnbench.leaderboard.site import instance_pages, ranking_pages, run_tables, setting_pages
from vnnbench.leaderboard.site.citations import REFERENCES, VNNBENCH
from vnnbench.leaderboard.site.content import Record, Source, gather
from vnnbench.leaderboard.site.downloads import downloads
from vnnbench.leaderboard.site.facts import minute, packages
from vnnbench.leaderboard.site.page_writer import File, Writer, pictures
from vnnbench.leaderboard.words import Fault

FAULTS_SHOWN = 200
"""The most wrong runs that are shown with both sides, so that the page stays readable."""


def site_files(source: Source) -> Iterator[File]:
    """Yield every file of the site but its marker. Raises `LedgerError`."""
    contents = gather(source)
    writer = Writer(contents)
    yield from _shared()
    yield from pictures(writer)
    yield from ranking_pages.overview(writer)
    yield from ranking_pages.surrogates_page(writer)
    for ranking in contents.rankings:
        yield from ranking_pages.ranking_page(writer, ranking, None)
    for suite in contents.suites:
        yield from ranking_pages.suite_page(writer, suite)
        if suite.rankings is not contents.rankings:
            for ranking in suite.rankings:
                yield from ranking_pages.ranking_page(writer, ranking, suite)
    for setting in contents.settings:
        yield from setting_pages.setting_page(writer, setting)
    for instance in contents.instances:
        yield from instance_pages.instance_page(writer, instance)
    for problem, href in contents.problem_pages.items():
        yield from instance_pages.problem_page(writer, problem, href)
    yield from _contradictions(writer)
    yield from _logs(writer)
    yield from _plain_pages(writer)
    yield from _downloads(writer)


def _contradictions(writer: Writer) -> Iterator[File]:
    """Yield the page of contradictions: wrong answers, deviations within tolerance, planted and proven answers."""
    contents = writer.contents
    witness = {row["run"]: row for row in contents.source.witnesses.to_dict("records")}
    faults = []
    for row in contents.leaderboard.faults[:FAULTS_SHOWN]:
        record = contents.record_of[row.run]
        other = witness.get(row.run, {})
        refuted_by = contents.record_of.get(other.get("witness") or "") if other.get("refuted") else None
        faults.append(
            {
                "run": record, "setting": contents.setting_of(record), "page": writer.page_of(record),
                "witness": refuted_by, "witness_name": other.get("witness") if other.get("refuted") else None,
                "witness_setting": contents.setting_of(refuted_by) if refuted_by else None,
                "witness_page": writer.page_of(refuted_by) if refuted_by else None,
            }
        )  # fmt: skip
    tolerated = [record for record in contents.records if record["fault"] == Fault.TOLERANCE]
    data = {
        "tables": {
            "tolerated": run_tables.tolerated_table(contents, tolerated, writer.page_of),
        }
    }
    yield from writer.page(
        "contradictions.html", "contradictions.html", data if tolerated else None, faults=faults,
        n_tolerated=len(tolerated), n_runs=len(contents.records), planted=contents.leaderboard.planted,
        proven=contents.leaderboard.proven, page_of=contents.page_of,
        sensitivity=[row for row in contents.leaderboard.sensitivity if row.depends], tolerances=TOLERANCES,
        log_of=writer.logs.get,
    )  # fmt: skip


def _logs(writer: Writer) -> Iterator[File]:
    """Yield a page for the log of each side of every contradiction."""
    contents = writer.contents
    for run, path in writer.logs.items():
        record = contents.record_of[run]
        yield from writer.page(
            "log.html", path, run=record, setting=contents.setting_of(record), page=writer.page_of(record),
            lines=contents.source.logs[run].expandtabs().splitlines(),
        )  # fmt: skip


def _plain_pages(writer: Writer) -> Iterator[File]:
    """Yield the pages on methods and on machines, one section for each type of CPU."""
    contents = writer.contents
    trains = contents.has_training
    yield from writer.page(
        "methods.html", "methods.html", references=REFERENCES, trains=trains,
        on_networks=contents.has_networks or not trains,
    )  # fmt: skip
    facts = {row["machine"]: row for row in contents.source.machines.to_dict("records")}
    types = []
    for cpu, of_type in _parted(contents.records, CPU):
        machines = [(facts[machine], own) for machine, own in _parted(of_type, "machine")]
        versions: dict[str, list[str]] = {}
        for row, _ in machines:
            versions.setdefault(str(row["packages"]), []).append(row["machine"])
        found = [(packages(text), names) for text, names in versions.items()]
        types.append({"cpu": cpu, "machines": list(starmap(_machine, machines)), "packages": found})
    yield from writer.page("machines.html", "machines.html", types=types)


def _parted(records: Iterable[Record], name: str) -> list[tuple[str, list[Record]]]:
    """Return the records with each value of a column, the value with most records first."""
    parts: dict[str, list[Record]] = {}
    for record in records:
        parts.setdefault(record[name], []).append(record)
    return sorted(parts.items(), key=lambda part: (-len(part[1]), part[0]))


def _machine(facts: Record, own: Sequence[Record]) -> dict[str, object]:
    """Return a machine's row of the page on machines, with the runs that it made."""
    return {
        "facts": facts,
        "runs": len(own),
        "disturbed": sum(record["disturbed"] == 1 for record in own),
        "enforcement": ", ".join(sorted({str(record["enforcement"]) for record in own})),
        "first": minute(min(record["started_at"] for record in own)),
        "last": minute(max(record["started_at"] for record in own)),
    }


def _downloads(writer: Writer) -> Iterator[File]:
    """Yield the page of downloads, and the files that it offers."""
    source = writer.contents.source
    own = source.byline.reference(int(source.published[:4]))
    files = downloads(writer.contents, own)
    for file in files:
        yield f"downloads/{file.name}", file.data
    listed = [(file.name, file.about, len(file.data)) for file in files]
    citations = [(thing, Markup.escape(work.bibtex())) for thing, work in
                 (("this comparison", own), ("vnnbench", VNNBENCH)) if work]  # fmt: skip
    yield from writer.page(
        "downloads.html", "downloads.html", files=listed, libraries=source.libraries, citations=citations
    )


def _shared() -> Iterator[File]:
    """Yield the style sheet, the scripts and plotly."""
    for asset in resources.files("vnnbench.leaderboard.site").joinpath("assets").iterdir():
        yield f"assets/{asset.name}", asset.read_bytes()
    yield "assets/plotly.js", resources.files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
