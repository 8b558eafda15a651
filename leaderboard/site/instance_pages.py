"""The page of an instance: pictures, facts, files, every run; and that of a problem with many instances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vnnbench.leaderboard.site import figures, run_tables
from vnnbench.leaderboard.site.content import NO_SUITE, Contents, InstancePage, SettingPage
from vnnbench.leaderboard.site.evidence import MAX_INPUTS_SHOWN
from vnnbench.leaderboard.site.facts import classes, instance_facts, proof_facts, run_facts, third_class, verify_command
from vnnbench.leaderboard.site.page_writer import File, Writer, download_of, shown_pictures


def instance_page(writer: Writer, page: InstancePage) -> Iterator[File]:
    """Yield the page of an instance, and its script."""
    contents, evidence = writer.contents, writer.evidence(page)
    drawn = figures.progress(contents, page)
    files = evidence.files if evidence else ()
    runs = sorted(page.runs, key=lambda run: (*_place(contents.setting_of(run)), run["seed"], run["permutation"]))
    best = (evidence.best or evidence.model) if evidence else None
    yield from writer.page(
        "instance.html",
        page.href,
        {"figures": [drawn]} if drawn else None,
        page=page,
        facts=page.facts,
        shown_facts=[fact for fact in instance_facts(page) if not (files and fact[0] == "model")],
        evidence=evidence,
        files=files,
        classes=classes(evidence),
        third_class=third_class(evidence),
        pictures=shown_pictures(evidence),
        download=download_of(evidence),
        best=best,
        proven=(proven := contents.source.proven.get(page.facts["instance_sha256"])),
        proven_facts=[] if proven is None else proof_facts(proven),
        verify_command=verify_command(page.facts["problem"]),
        found_by=contents.record_of.get(best.run) if best else None,
        most_names=MAX_INPUTS_SHOWN,
        is_reference=lambda run: contents.setting_of(run).is_reference,
        columns=run_tables.RUNS,
        runs=[(run, contents.setting_of(run), run_tables.run_cells(run)) for run in runs],
        run_facts=run_facts,
        settings_of=contents.settings_of,
        suite=next(suite for suite in contents.suites if suite.name == (page.facts["suite"] or NO_SUITE)),
        siblings=_rows(contents, _relatives(contents, page)),
        problem_href=contents.problem_pages.get(page.facts["problem"]),
        n_of_problem=len(contents.of_problem(page.facts["problem"])),
        legend=sorted({contents.setting_of(run) for run in runs}, key=_place),
        log_of=writer.logs.get,
        has_plot=drawn is not None,
    )


def problem_page(writer: Writer, problem: str, href: str) -> Iterator[File]:
    """Yield the page of a problem, which lists its instances."""
    pages = writer.contents.of_problem(problem)
    yield from writer.page("problem.html", href, problem=problem, rows=_rows(writer.contents, pages))


def _relatives(contents: Contents, page: InstancePage) -> list[InstancePage]:
    """Return the other instances of the problem; where it has a page of its own, only those on the dense network or on
    the same one."""
    facts = page.facts
    others = [other for other in contents.of_problem(facts["problem"]) if other is not page]
    if facts["problem"] not in contents.problem_pages:
        return others
    return [other for other in others if other.facts["network"] in (facts["network"], facts["dense_network"])]


def _rows(contents: Contents, pages: Sequence[InstancePage]) -> list[tuple[InstancePage, str]]:
    """Return these instances, with the seconds of the fastest run of a solver that solved each."""
    return [(page, run_tables.best_seconds(contents, page)) for page in pages]


def _place(setting: SettingPage) -> tuple[bool, int]:
    """Return a sort key that puts the reference last."""
    return setting.is_reference, setting.number
