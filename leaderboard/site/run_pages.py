"""A page for each solver setting and for each instance, with every run."""

from __future__ import annotations

from collections.abc import Iterator

from vnnbench.leaderboard.ranking.column_form import Table
from vnnbench.leaderboard.ranking.columns import columns_of
from vnnbench.leaderboard.site import figures, run_tables, setting_tables
from vnnbench.leaderboard.site.content import NO_SUITE, GoalRanking, InstancePage, SettingPage, SuitePage, options_text
from vnnbench.leaderboard.site.facts import classes, instance_facts, run_facts
from vnnbench.leaderboard.site.page_writer import File, Writer, shown_pictures


def setting_page(writer: Writer, page: SettingPage) -> Iterator[File]:
    """One setting: its numbers on every suite, its runs."""
    contents = writer.contents
    places: list[tuple[SuitePage | None, GoalRanking]] = [(None, own) for own in contents.by_goal]
    places += [(suite, own) for suite in contents.suites for own in suite.by_goal]
    found = [
        (suite, own, row)
        for suite, own in places
        for row in own.leaderboard.settings
        if contents.page_of(row.setting) is page
    ]
    columns = columns_of(Table.SITE_RANKING, [row for *_, row in found])
    drawn = figures.against_best(contents, writer.matrix(found[0][1]), page, "../") if found else None
    yield from writer.page(
        "setting.html",
        page.href,
        {
            "figures": [drawn] if drawn else [],
            "tables": {"runs": run_tables.run_table(contents, page.number, "../")},
        },
        page=page,
        options=options_text(page.setting),
        columns=setting_tables.heads(contents.leaderboard, columns),
        rows=[
            (suite, own.machine, f"{row.rank} of {len(own.leaderboard.settings)}" if row.rank else None,
             row.below_line, setting_tables.cells(columns, row))
            for suite, own, row in found
        ],
        has_plot=drawn is not None,
        faults=[
            record
            for record in (contents.record_of[row.run] for row in contents.leaderboard.faults)
            if record["setting_number"] == page.number
        ],
        contents=contents,
    )  # fmt: skip


def instance_page(writer: Writer, page: InstancePage) -> Iterator[File]:
    """One instance: pictures, classes, facts, every run."""
    contents, evidence = writer.contents, writer.evidence(page)
    drawn = figures.progress(contents, page)
    runs = sorted(page.runs, key=lambda run: (*_place(contents.setting_of(run)), run["seed"], run["permutation"]))
    found_by = contents.record_of.get(evidence.best.run) if evidence and evidence.best else None
    yield from writer.page(
        "instance.html",
        page.href,
        {"figures": [drawn]} if drawn else None,
        page=page,
        facts=page.facts,
        shown_facts=instance_facts(page),
        evidence=evidence,
        classes=classes(evidence),
        pictures=shown_pictures(evidence),
        found_by=found_by,
        is_reference=lambda run: contents.setting_of(run).is_reference,
        columns=run_tables.RUNS,
        runs=[(run, contents.setting_of(run), run_tables.run_cells(run)) for run in runs],
        run_facts=run_facts,
        suite=next(suite for suite in contents.suites if suite.name == (page.facts["suite"] or NO_SUITE)),
        siblings=[
            (other, run_tables.best_seconds(contents, other)) for other in run_tables.sibling_rows(contents, page)
        ],
        legend=sorted({contents.setting_of(run) for run in runs}, key=_place),
        log_of=writer.logs.get,
        has_plot=drawn is not None,
    )


def _place(setting: SettingPage) -> tuple[bool, int]:
    """The reference stands last."""
    return setting.is_reference, setting.number
