"""The page of a solver setting: its numbers on every suite, and its runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vnnbench.leaderboard.ranking.column_form import Table
from vnnbench.leaderboard.ranking.columns import columns_of
from vnnbench.leaderboard.site import figures, run_tables, setting_tables
from vnnbench.leaderboard.site.content import FileRanking, SettingPage, SuitePage, options_text
from vnnbench.leaderboard.site.page_writer import File, Writer


def setting_page(writer: Writer, page: SettingPage) -> Iterator[File]:
    """Yield the page of a setting, and its script."""
    contents = writer.contents
    places: list[tuple[SuitePage | None, Sequence[FileRanking]]] = [(None, contents.rankings)]
    places += [(suite, suite.rankings) for suite in contents.suites if suite.rankings is not contents.rankings]
    found = [
        (suite, own, row)
        for suite, rankings in places
        for own in rankings
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
            (suite, own, f"{row.rank} of {len(own.leaderboard.settings)}" if row.rank else None,
             row.below_line, setting_tables.cells(columns, row))
            for suite, own, row in found
        ],
        has_plot=drawn is not None,
        faults=[
            record
            for record in (contents.record_of[row.run] for row in contents.leaderboard.faults)
            if page.number in record["setting_numbers"]
        ],
        contents=contents,
    )  # fmt: skip
