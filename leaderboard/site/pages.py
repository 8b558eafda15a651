"""Every file of the site: `site_files` yields relative path and content.

A page is HTML with neither script nor style of its own in it, as its Content-Security-Policy says; its plots and long
tables stand in a script of the same name, because browsers read no other file beside a page that comes from a disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any

from markupsafe import Markup

from leaderboard.notes import notes_on
from leaderboard.ranking import Leaderboard
from leaderboard.records import Fault, Verdict
from leaderboard.sensitivity import TOLERANCES
from leaderboard.sheets import sheets_of
from leaderboard.site import figures, run_tables, tables
from leaderboard.site.columns import WORDS
from leaderboard.site.contents import (
    NO_SUITE,
    Contents,
    GoalRanking,
    InstancePage,
    Record,
    SettingPage,
    Source,
    SuitePage,
    gather,
    options_text,
)
from leaderboard.site.downloads import downloads
from leaderboard.site.evidence import InstanceEvidence
from leaderboard.site.facts import classes, instance_facts, minute, packages, run_facts
from leaderboard.site.matrix import Matrix
from leaderboard.site.references import REFERENCES, VNNBENCH
from leaderboard.site.rendering import environment

File = tuple[str, bytes]
GALLERY = 6
PREPARATION, REFERENCE = "Surrogates: transfer and preparation", "Reference, not ranked"
SHOWN_OTHERWISE = {
    "Answers", "Times", "How much is tolerance", "Surrogate against dense", "Values: surrogate against dense",
    PREPARATION, REFERENCE,
}  # fmt: skip
"""Sheets of the leaderboard that the pages show in a way, or in a place, of their own."""
FAULTS_SHOWN = 200
"""Of so many wrong runs both sides are told, so that the page stays readable."""


def site_files(source: Source) -> Iterator[File]:
    """Every file of the site but its marker. Raises `LedgerError`."""
    contents = gather(source)
    pages = _Pages(contents)
    yield from pages.shared()
    yield from pages.pictures()
    yield from pages.overview()
    for suite in contents.suites:
        yield from pages.suite(suite)
    for setting in contents.settings:
        yield from pages.setting(setting)
    for instance in contents.instances:
        yield from pages.instance(instance)
    yield from pages.contradictions()
    yield from pages.plain_pages()
    yield from pages.downloads()


def _picture_name(data: bytes) -> str:
    return f"pictures/{sha256(data).hexdigest()[:20]}.png"


class _Pages:
    """The pages of one site."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self._environment = environment()

    def _page(self, template: str, path: str, data: dict[str, Any] | None = None, **values: Any) -> Iterator[File]:
        """A page and its script, where it has data."""
        root = "../" * path.count("/")
        script = path.removesuffix(".html") + ".js" if data else None
        text = self._environment.get_template(template).render(
            root=root,
            path=path,
            script=root + script if script else None,
            plots=bool(data and any(data.get("figures", []))),
            published=self.contents.source.published,
            n_faults=len(self.contents.leaderboard.faults),
            **values,
        )
        yield path, text.encode()
        if data and script:
            yield script, figures.data_script(data)

    # -- overview and suites -----------------------------------------------------------------------------------------

    def overview(self) -> Iterator[File]:
        """What one sees first."""
        contents = self.contents
        contests, drawn = self._contests(contents.by_goal, "", pairs=True)
        surrogates = figures.surrogate_scatter(contents, "")
        ratios = figures.surrogate_ratios(contents, contents.leaderboard.surrogates)
        drawn += [figure for figure in (surrogates, ratios) if figure]
        answers = [page.answer for page in contents.instances]
        yield from self._page(
            "overview.html",
            "index.html",
            {"figures": drawn},
            contents=contents,
            runs=len(contents.records),
            answers={answer: answers.count(answer) for answer in WORDS if answer in answers},
            gallery=self._gallery(),
            suite_counts=[(suite, _answer_counts(suite)) for suite in contents.suites],
            contests=contests,
            has_surrogates=surrogates is not None,
            has_ratios=ratios is not None,
            **self._surrogates(contents.leaderboard),
        )

    def suite(self, suite: SuitePage) -> Iterator[File]:
        """The ranking on one suite, and its instances."""
        contests, drawn = self._contests(suite.by_goal, "../", pairs=False)
        data = {"figures": drawn, "tables": {"instances": run_tables.instance_table(self.contents, suite, "../")}}
        yield from self._page(
            "suite.html", suite.href, data, suite=suite, counts=_answer_counts(suite), contests=contests,
            **self._surrogates(suite.leaderboard),
        )  # fmt: skip

    def _contests(
        self, contests: Sequence[GoalRanking], root: str, *, pairs: bool
    ) -> tuple[list[dict[str, Any]], list[figures.Figure]]:
        """What templates show of each contest, and its plots; `pairs`: with one of any two settings."""
        shown, drawn = [], []
        for place, contest in enumerate(contests):
            suffix = f"-{place}" if place else ""
            matrix = self._matrix(contest)
            ranked = [self.contents.page_of(row.setting) for row in contest.leaderboard.settings]
            pair = figures.pair_scatter(self.contents, matrix, ranked, root, suffix) if pairs else None
            drawn += [*figures.curves(self.contents, matrix, root, suffix), *([pair] if pair else [])]
            board = contest.leaderboard
            columns, rows = tables.ranking(self.contents, board.settings)
            more_columns, more = tables.ranking(self.contents, board.settings, tables.MORE)
            shown.append(
                {
                    "goal": contest.goal,
                    "suffix": suffix,
                    "columns": columns,
                    "ranked": [row for row in rows if not row.below_line],
                    "below": [row for row in rows if row.below_line],
                    "more_columns": more_columns,
                    "more": more,
                    "reference": [sheet for sheet in sheets_of(board) if sheet.title == REFERENCE],
                    "sheets": [sheet for sheet in sheets_of(board) if sheet.title not in SHOWN_OTHERWISE],
                    "pairs": tables.pair_rows(self.contents, board.pairs),
                    "notes": notes_on(board),
                    "legend": ranked,
                    "n_problems": len(matrix),
                    "profile_text": figures.describe_profile(matrix),
                    "cactus_text": figures.describe_cactus(matrix),
                    "has_pair": pair is not None,
                    "contribution_columns": tables.CONTRIBUTIONS,
                    "contribution_rows": tables.contribution_rows(self.contents, board.settings, matrix),
                    "virtual_best": board.virtual_best[0] if board.virtual_best else None,
                }
            )
        return shown, drawn

    def _surrogates(self, leaderboard: Leaderboard) -> dict[str, Any]:
        settings = {row.setting for row in leaderboard.surrogates}
        return {
            "surrogate_columns": tables.SURROGATES,
            "surrogate_rows": tables.surrogate_rows(self.contents, leaderboard.surrogates),
            "surrogate_value_columns": tables.SURROGATE_VALUES,
            "surrogate_value_rows": tables.surrogate_value_rows(self.contents, leaderboard.surrogate_values),
            "preparation": [sheet for sheet in sheets_of(leaderboard) if sheet.title == PREPARATION],
            "surrogate_legend": [
                self.contents.page_of(row.setting) for row in leaderboard.settings if row.setting in settings
            ],
        }

    def _gallery(self) -> list[dict[str, Any]]:
        """Some counterexamples on images, of as many problems: those with the largest margins."""
        found: dict[str, tuple[float, InstancePage, InstanceEvidence]] = {}
        for page in self.contents.instances:
            evidence = self._evidence(page)
            if evidence is None or evidence.best is None or evidence.best.picture is None or evidence.clean is None:
                continue
            if page.answer != Verdict.ADVERSARIAL:
                continue
            before = found.get(page.facts["problem"])
            if before is None or evidence.best.value > before[0]:
                found[page.facts["problem"]] = (evidence.best.value, page, evidence)
        best = sorted(found.values(), key=lambda item: -item[0])[:GALLERY]
        return [{"page": page, **_shown_pictures(evidence), "evidence": evidence} for _, page, evidence in best]

    # -- settings ----------------------------------------------------------------------------------------------------

    def setting(self, page: SettingPage) -> Iterator[File]:
        """One setting: its numbers on every suite, its runs."""
        contents = self.contents
        contest = next(contest for contest in contents.by_goal if contest.goal == page.setting.goal)
        drawn = figures.against_best(contents, self._matrix(contest), page, "../")
        places = [(None, contest), *((suite, own) for suite in contents.suites for own in suite.by_goal)]
        found = [
            (suite, len(own.leaderboard.settings), row)
            for suite, own in places
            for row in own.leaderboard.settings
            if contents.page_of(row.setting) is page
        ]
        columns, _ = tables.ranking(contents, [row for *_, row in found])
        yield from self._page(
            "setting.html",
            page.href,
            {
                "figures": [drawn] if drawn else [],
                "tables": {"runs": run_tables.run_table(contents, page.number, "../")},
            },
            page=page,
            options=options_text(page.setting),
            columns=columns,
            rows=[
                (suite, row.rank and f"{row.rank} of {total}", tables.cells(row, columns))
                for suite, total, row in found
            ],
            has_plot=drawn is not None,
            faults=[
                record
                for record in (contents.record_of[row.run] for row in contents.leaderboard.faults)
                if record["setting_number"] == page.number
            ],
            contents=contents,
        )

    @cache  # noqa: B019 (as long-lived as the pages)
    def _matrix(self, contest: GoalRanking) -> Matrix:
        return Matrix(self.contents, contest)

    # -- instances ---------------------------------------------------------------------------------------------------

    def _evidence(self, page: InstancePage) -> InstanceEvidence | None:
        return self.contents.source.evidence.get(page.facts["instance_sha256"])

    def pictures(self) -> Iterator[File]:
        """Every picture once, whoever shows it."""
        seen: set[str] = set()
        for evidence in self.contents.source.evidence.values():
            best = evidence.best
            for data in (evidence.clean, best and best.picture, best and best.difference):
                if data and (name := _picture_name(data)) not in seen:
                    seen.add(name)
                    yield name, data

    def instance(self, page: InstancePage) -> Iterator[File]:
        """One instance: pictures, classes, facts, every run."""
        contents, evidence = self.contents, self._evidence(page)
        drawn = figures.progress(contents, page)
        runs = sorted(page.runs, key=lambda run: (run["setting_number"], run["seed"], run["permutation"]))
        found_by = contents.record_of.get(evidence.best.run) if evidence and evidence.best else None
        yield from self._page(
            "instance.html",
            page.href,
            {"figures": [drawn]} if drawn else None,
            page=page,
            facts=page.facts,
            shown_facts=instance_facts(page),
            evidence=evidence,
            classes=classes(evidence),
            pictures=_shown_pictures(evidence),
            found_by=found_by,
            columns=run_tables.RUNS,
            runs=[(run, contents.setting_of(run), run_tables.run_cells(run)) for run in runs],
            run_facts=run_facts,
            suite=next(suite for suite in contents.suites if suite.name == (page.facts["suite"] or NO_SUITE)),
            siblings=[(other, run_tables.best_seconds(other)) for other in run_tables.sibling_rows(contents, page)],
            legend=[contents.settings[number] for number in sorted({run["setting_number"] for run in runs})],
            has_plot=drawn is not None,
        )

    # -- the rest ----------------------------------------------------------------------------------------------------

    def contradictions(self) -> Iterator[File]:
        """Wrong answers with both runs, deviations within tolerance, planted answers."""
        contents = self.contents
        witness = {row["run"]: row for row in contents.source.witnesses.to_dict("records")}
        faults = []
        for row in contents.leaderboard.faults[:FAULTS_SHOWN]:
            record = contents.record_of[row.run]
            other = witness.get(row.run, {})
            refuted_by = contents.record_of.get(other.get("witness") or "") if other.get("refuted") else None
            faults.append(
                {
                    "run": record, "setting": contents.setting_of(record), "page": self._page_of(record),
                    "witness": refuted_by, "witness_name": other.get("witness") if other.get("refuted") else None,
                    "witness_setting": contents.setting_of(refuted_by) if refuted_by else None,
                    "witness_page": self._page_of(refuted_by) if refuted_by else None,
                }
            )  # fmt: skip
        tolerated = [record for record in contents.records if record["fault"] == Fault.TOLERANCE]
        data = {
            "tables": {
                "tolerated": run_tables.tolerated_table(contents, tolerated, self._page_of),
            }
        }
        yield from self._page(
            "contradictions.html", "contradictions.html", data if tolerated else None, faults=faults,
            n_tolerated=len(tolerated), n_runs=len(contents.records), planted=contents.leaderboard.planted,
            planted_problems=contents.leaderboard.planted_problems, page_of=contents.page_of,
            sensitivity=[row for row in contents.leaderboard.sensitivity if row.depends], tolerances=TOLERANCES,
        )  # fmt: skip

    def _page_of(self, record: Record) -> InstancePage:
        return self.contents.instance_of[record["instance_sha256"]]

    def plain_pages(self) -> Iterator[File]:
        """Methods and machines."""
        yield from self._page("methods.html", "methods.html", references=REFERENCES)
        records = self.contents.records
        machines = []
        for row in self.contents.source.machines.to_dict("records"):
            own = [record for record in records if record["machine"] == row["machine"]]
            machines.append(
                {
                    "facts": row,
                    "packages": packages(str(row["packages"])),
                    "runs": len(own),
                    "disturbed": sum(record["disturbed"] == 1 for record in own),
                    "enforcement": ", ".join(sorted({str(record["enforcement"]) for record in own})),
                    "first": minute(min((record["started_at"] for record in own), default=None)),
                    "last": minute(max((record["started_at"] for record in own), default=None)),
                }
            )
        yield from self._page("machines.html", "machines.html", machines=machines)

    def downloads(self) -> Iterator[File]:
        """The page, and what it offers."""
        files = downloads(self.contents)
        for file in files:
            yield f"downloads/{file.name}", file.data
        listed = [(file.name, file.about, f"{len(file.data) / 1024:.0f} kB") for file in files]
        yield from self._page(
            "downloads.html", "downloads.html", files=listed, citation=Markup.escape(VNNBENCH.bibtex())
        )

    def shared(self) -> Iterator[File]:
        """Style, scripts and plotly."""
        for asset in resources.files("leaderboard.site").joinpath("assets").iterdir():
            yield f"assets/{asset.name}", asset.read_bytes()
        yield "assets/plotly.js", resources.files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()


def _answer_counts(suite: SuitePage) -> dict[str, int]:
    return {answer: sum(page.answer == answer for page in suite.instances) for answer in WORDS}


def _shown_pictures(evidence: InstanceEvidence | None) -> dict[str, str | None]:
    best = evidence and evidence.best
    found = {
        "clean": evidence and evidence.clean,
        "best": best and best.picture,
        "difference": best and best.difference,
    }
    return {name: _picture_name(data) if data else None for name, data in found.items()}
