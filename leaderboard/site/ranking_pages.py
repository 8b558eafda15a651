"""The overview, the page of a suite, and those of what these show in short: a ranking, surrogates in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from vnnbench.leaderboard.ranking.column_form import Rows, Table
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard
from vnnbench.leaderboard.site import figures, run_tables, setting_tables, summary, surrogate_tables
from vnnbench.leaderboard.site.citations import TITLE
from vnnbench.leaderboard.site.content import FileRanking, InstancePage, SuitePage
from vnnbench.leaderboard.site.evidence import InstanceEvidence
from vnnbench.leaderboard.site.facts import predicted_class, third_class
from vnnbench.leaderboard.site.heads import WORDS
from vnnbench.leaderboard.site.page_writer import File, Writer, shown_pictures
from vnnbench.leaderboard.tables.build import APPROACHES_SHOWN, TOLERANCE_TITLE, Sheet, sheets_of
from vnnbench.leaderboard.tables.notes import notes_on
from vnnbench.leaderboard.words import Verdict

GALLERY = 6
RANKINGS_SHOWN = 2
"""The rankings whose tables stand on the overview and on the page of a suite; all have a page of their own."""
SHOWN_OTHERWISE = {
    Table.ANSWERS, Table.TIMES, TOLERANCE_TITLE, Table.SURROGATES, Table.SURROGATE_VALUES, Table.PREPARATION,
    Table.REFERENCE, Table.APPROACHES,
}  # fmt: skip
"""The sheets of the leaderboard that the pages show in another form or place."""


def overview(writer: Writer) -> Iterator[File]:
    """Yield the overview, the first page of a site."""
    contents = writer.contents
    answers = [page.answer for page in contents.instances]
    rankings, drawn = _in_short(writer, contents.rankings, "")
    yield from writer.page(
        "overview.html",
        "index.html",
        {"figures": drawn},
        heading=contents.source.byline.title or TITLE,
        remarks=list(summary.remarks(contents)),
        contents=contents,
        runs=len(contents.records),
        solvers=[page for page in contents.settings if not page.is_reference],
        references=[page for page in contents.settings if page.is_reference],
        first=summary.count_first(rankings["winners"]),
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
        rankings=rankings,
        approaches=_approaches(contents.leaderboard),
        heat_maps=surrogate_tables.heat_maps(contents, contents.leaderboard),
    )


def suite_page(writer: Writer, suite: SuitePage) -> Iterator[File]:
    """Yield the page of a suite: its rankings and its instances."""
    contents = writer.contents
    rankings, drawn = _in_short(writer, suite.rankings, "../")
    data = {"figures": drawn, "tables": {"instances": run_tables.instance_table(contents, suite, "../")}}
    yield from writer.page(
        "suite.html", suite.href, data, suite=suite, counts=_answer_counts(suite), rankings=rankings,
        approaches=_approaches(suite.leaderboard), heat_maps=surrogate_tables.heat_maps(contents, suite.leaderboard),
        numbers=_surrogates_in_numbers(writer, suite.leaderboard),
        sizes=surrogate_tables.size_sheets(contents, suite),
    )  # fmt: skip


def ranking_page(writer: Writer, ranking: FileRanking, suite: SuitePage | None) -> Iterator[File]:
    """Yield the page of a ranking, of a suite or of all runs: its table, its plots and all its numbers."""
    contents, board, matrix = writer.contents, ranking.leaderboard, writer.matrix(ranking)
    ranked = [contents.page_of(row.setting) for row in board.settings]
    pair = figures.pair_scatter(contents, matrix, ranked, "../")
    more_columns, more = setting_tables.ranking(contents, board, Table.SITE_MORE)
    contribution_heads, contributed = setting_tables.contributions(contents, board, matrix)
    yield from writer.page(
        "ranking.html",
        ranking.href,
        {"figures": [*figures.curves(contents, matrix, "../"), *([pair] if pair else [])]},
        ranking=ranking,
        suite=suite,
        own=_table(writer, ranking),
        more_columns=more_columns,
        more=more,
        reference=[sheet for sheet in sheets_of(board) if sheet.title == Table.REFERENCE],
        sheets=[sheet for sheet in sheets_of(board) if sheet.title not in SHOWN_OTHERWISE],
        pairs=setting_tables.pair_rows(contents, board.pairs),
        notes=notes_on(board).all,
        curves=_described_curves(writer, ranking),
        has_pair=pair is not None,
        contribution_columns=contribution_heads,
        contribution_rows=contributed,
        virtual_best=board.virtual_best[0] if board.virtual_best else None,
    )


def surrogates_page(writer: Writer) -> Iterator[File]:
    """Yield the page of all surrogates in numbers, where there are any."""
    contents, board = writer.contents, writer.contents.leaderboard
    if not (board.surrogates or board.surrogate_values):
        return
    scatter = figures.surrogate_scatter(contents, "")
    settings = {row.setting for row in board.surrogates}
    legend = dict.fromkeys(contents.page_of(row.setting) for row in board.settings if row.setting in settings)
    yield from writer.page(
        "surrogates.html", "surrogates.html", {"figures": [scatter]} if scatter else None,
        has_scatter=scatter is not None, legend=list(legend), numbers=_surrogates_in_numbers(writer, board), sizes=[],
    )  # fmt: skip


def _in_short(
    writer: Writer, rankings: Sequence[FileRanking], root: str
) -> tuple[dict[str, Any], list[figures.Figure]]:
    """Return what a page shows of these rankings: who is first in each, the first tables, the curves of the first."""
    values = {
        "winners": summary.winners(writer.contents, rankings),
        "shown": [_table(writer, ranking) for ranking in rankings[:RANKINGS_SHOWN]],
        "curves": _described_curves(writer, rankings[0]),
    }
    return values, figures.curves(writer.contents, writer.matrix(rankings[0]), root)


def _table(writer: Writer, ranking: FileRanking) -> dict[str, Any]:
    """Return the values of the table of a ranking."""
    columns, rows = setting_tables.ranking(writer.contents, ranking.leaderboard)
    return {
        "part": ranking.part,
        "href": ranking.href,
        "in_seconds": setting_tables.names_in_seconds(),
        "columns": columns,
        "ranked": [row for row in rows if not row.below_line],
        "below": [row for row in rows if row.below_line],
    }


def _described_curves(writer: Writer, ranking: FileRanking) -> dict[str, Any]:
    """Return the values that stand around the curves of a ranking: over how many runs, whose, and both in words."""
    matrix = writer.matrix(ranking)
    return {
        "n_runs": len(matrix),
        "legend": [writer.contents.page_of(row.setting) for row in ranking.leaderboard.settings],
        "profile": figures.describe_profile(matrix),
        "cactus": figures.describe_cactus(matrix),
    }


def _approaches(leaderboard: Leaderboard) -> list[tuple[str, Sheet, Sheet]]:
    """Return the approaches of each group, such as a suite: its name, the first rows, and the others. Oracles are among
    the others, because nobody can choose a rate by its result."""
    found = []
    for sheet in (own for own in sheets_of(leaderboard) if own.title == Table.APPROACHES):
        rows = list(zip(sheet.rows, leaderboard.approaches, strict=True))
        for section, group in groupby(rows, key=lambda pair: pair[0].section):
            own = [(replace(row, groups=()), approach.is_oracle) for row, approach in group]
            first = [row for row, is_oracle in own if not is_oracle][:APPROACHES_SHOWN]
            others = [row for row, _ in own if row not in first]
            parts = (replace(sheet, group_names=(), rows=tuple(part)) for part in (first, others))
            found.append((section, *parts))
    return found


def _surrogates_in_numbers(writer: Writer, leaderboard: Leaderboard) -> dict[str, Any]:
    """Return the tables of the comparison with surrogates."""
    by_time = surrogate_tables.surrogate_table(writer.contents, leaderboard, Rows.SURROGATES, Table.SITE_SURROGATES)
    by_value = surrogate_tables.surrogate_table(
        writer.contents, leaderboard, Rows.SURROGATE_VALUES, Table.SITE_SURROGATE_VALUES
    )
    preparation = [sheet for sheet in sheets_of(leaderboard) if sheet.title == Table.PREPARATION]
    return {"by_time": by_time, "by_value": by_value, "preparation": preparation}


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
    return [
        {
            "page": page,
            **shown_pictures(evidence),
            "evidence": evidence,
            "predicted": predicted_class(evidence),
            "third_class": third_class(evidence),
        }
        for _, page, evidence in best
    ]


def _answer_counts(suite: SuitePage) -> dict[str, int]:
    return {answer: sum(page.answer == answer for page in suite.instances) for answer in WORDS}
