"""The overview and the page of a suite: rankings, plots, dense against surrogate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vnnbench.leaderboard.ranking.column_form import Rows, Table
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard
from vnnbench.leaderboard.site import figures, run_tables, setting_tables, summary
from vnnbench.leaderboard.site.citations import TITLE
from vnnbench.leaderboard.site.content import FileRanking, InstancePage, SuitePage, part_of
from vnnbench.leaderboard.site.evidence import InstanceEvidence
from vnnbench.leaderboard.site.heads import WORDS
from vnnbench.leaderboard.site.page_writer import File, Writer, shown_pictures
from vnnbench.leaderboard.site.setting_tables import size_sheets
from vnnbench.leaderboard.tables.build import TOLERANCE_TITLE, sheets_of
from vnnbench.leaderboard.tables.notes import notes_on
from vnnbench.leaderboard.words import Verdict

GALLERY = 6
SHOWN_OTHERWISE = {
    Table.ANSWERS, Table.TIMES, TOLERANCE_TITLE, Table.SURROGATES, Table.SURROGATE_VALUES, Table.PREPARATION,
    Table.REFERENCE, Table.APPROACHES,
}  # fmt: skip
"""The sheets of the leaderboard that the pages show in another form or place."""


def overview(writer: Writer) -> Iterator[File]:
    """Yield the overview, the first page of a site."""
    contents = writer.contents
    contests, drawn = _contests(writer, contents.rankings, "", pairs=True)
    surrogates = figures.surrogate_scatter(contents, "")
    ratios = figures.surrogate_ratios(contents, contents.leaderboard)
    drawn += [figure for figure in (surrogates, ratios) if figure]
    answers = [page.answer for page in contents.instances]
    yield from writer.page(
        "overview.html",
        "index.html",
        {"figures": drawn},
        heading=contents.source.byline.title or TITLE,
        contents=contents,
        runs=len(contents.records),
        solvers=[page for page in contents.settings if not page.is_reference],
        references=[page for page in contents.settings if page.is_reference],
        winners=summary.winners(contents),
        about={
            "solvers": summary.describe_solvers(contents),
            "limits": summary.describe_limits(contents),
            "questions": summary.describe_questions(contents),
            "machines": summary.describe_machines(contents),
            "confirmed": summary.describe_confirmed(contents),
        },
        answers={answer: answers.count(answer) for answer in WORDS if answer in answers},
        gallery=_gallery(writer),
        suite_counts=[(suite, _answer_counts(suite)) for suite in contents.suites],
        contests=contests,
        has_surrogates=surrogates is not None,
        has_ratios=ratios is not None,
        **_surrogates(writer, contents.leaderboard, None),
    )


def suite_page(writer: Writer, suite: SuitePage) -> Iterator[File]:
    """Yield the page of a suite: its ranking and its instances."""
    contests, drawn = _contests(writer, suite.rankings, "../", pairs=False)
    data = {"figures": drawn, "tables": {"instances": run_tables.instance_table(writer.contents, suite, "../")}}
    yield from writer.page(
        "suite.html", suite.href, data, suite=suite, counts=_answer_counts(suite), contests=contests,
        **_surrogates(writer, suite.leaderboard, suite),
    )  # fmt: skip


def _contests(
    writer: Writer, contests: Sequence[FileRanking], root: str, *, pairs: bool
) -> tuple[list[dict[str, Any]], list[figures.Figure]]:
    """Return the values for templates and the plots of each contest; `pairs`: with a plot of any two settings."""
    shown, drawn = [], []
    for place, contest in enumerate(contests):
        suffix = f"-{place}" if place else ""
        matrix = writer.matrix(contest)
        ranked = [writer.contents.page_of(row.setting) for row in contest.leaderboard.settings]
        pair = figures.pair_scatter(writer.contents, matrix, ranked, root, suffix) if pairs else None
        drawn += [*figures.curves(writer.contents, matrix, root, suffix), *([pair] if pair else [])]
        board = contest.leaderboard
        columns, rows = setting_tables.ranking(writer.contents, board)
        more_columns, more = setting_tables.ranking(writer.contents, board, Table.SITE_MORE)
        contribution_heads, contributed = setting_tables.contributions(writer.contents, board, matrix)
        shown.append(
            {
                "part": part_of(contest, contests),
                "suffix": suffix,
                "in_seconds": setting_tables.names_in_seconds(),
                "columns": columns,
                "ranked": [row for row in rows if not row.below_line],
                "below": [row for row in rows if row.below_line],
                "more_columns": more_columns,
                "more": more,
                "reference": [sheet for sheet in sheets_of(board) if sheet.title == Table.REFERENCE],
                "sheets": [sheet for sheet in sheets_of(board) if sheet.title not in SHOWN_OTHERWISE],
                "pairs": setting_tables.pair_rows(writer.contents, board.pairs),
                "notes": notes_on(board),
                "legend": ranked,
                "n_runs": len(matrix),
                "profile_text": figures.describe_profile(matrix),
                "cactus_text": figures.describe_cactus(matrix),
                "has_pair": pair is not None,
                "contribution_columns": contribution_heads,
                "contribution_rows": contributed,
                "virtual_best": board.virtual_best[0] if board.virtual_best else None,
            }
        )
    return shown, drawn


def _surrogates(writer: Writer, leaderboard: Leaderboard, suite: SuitePage | None) -> dict[str, Any]:
    """Return the values of the comparison with surrogates. Only a suite is compared by size: elsewhere one architecture
    may belong to several data sets."""
    settings = {row.setting for row in leaderboard.surrogates}
    columns, rows = setting_tables.surrogate_table(writer.contents, leaderboard, Rows.SURROGATES, Table.SITE_SURROGATES)
    value_columns, value_rows = setting_tables.surrogate_table(
        writer.contents, leaderboard, Rows.SURROGATE_VALUES, Table.SITE_SURROGATE_VALUES
    )
    return {
        "surrogate_columns": columns,
        "surrogate_rows": rows,
        "surrogate_value_columns": value_columns,
        "surrogate_value_rows": value_rows,
        "approaches": [sheet for sheet in sheets_of(leaderboard) if sheet.title == Table.APPROACHES],
        "preparation": [sheet for sheet in sheets_of(leaderboard) if sheet.title == Table.PREPARATION],
        "sizes": size_sheets(writer.contents, suite) if suite else [],
        "surrogate_legend": [
            *dict.fromkeys(
                writer.contents.page_of(row.setting) for row in leaderboard.settings if row.setting in settings
            )
        ],
    }


def _gallery(writer: Writer) -> list[dict[str, Any]]:
    """Return the counterexamples on images with the largest margins, at most one for each problem."""
    found: dict[str, tuple[float, InstancePage, InstanceEvidence]] = {}
    for page in writer.contents.instances:
        evidence = writer.evidence(page)
        if evidence is None or evidence.best is None or evidence.best.picture is None or evidence.clean is None:
            continue
        if page.answer != Verdict.ADVERSARIAL:
            continue
        before = found.get(page.facts["problem"])
        if before is None or evidence.best.value > before[0]:
            found[page.facts["problem"]] = (evidence.best.value, page, evidence)
    best = sorted(found.values(), key=lambda item: -item[0])[:GALLERY]
    return [{"page": page, **shown_pictures(evidence), "evidence": evidence} for _, page, evidence in best]


def _answer_counts(suite: SuitePage) -> dict[str, int]:
    return {answer: sum(page.answer == answer for page in suite.instances) for answer in WORDS}
