"""Every file of the site: `site_files` yields relative path and content. The only module that imports jinja2.

A page is HTML with neither script nor style of its own in it, as its Content-Security-Policy says; its plots and long
tables stand in a script of the same name, because browsers read no other file beside a page that comes from a disk.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from leaderboard.notes import notes_on
from leaderboard.prose import count
from leaderboard.ranking import Leaderboard
from leaderboard.records import Fault, Verdict
from leaderboard.sensitivity import TOLERANCES
from leaderboard.sheets import NONE, format_number, format_percent, plain, sheets_of
from leaderboard.site import figures, tables
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
from leaderboard.site.evidence import InstanceEvidence, Outputs
from leaderboard.site.matrix import Matrix
from leaderboard.site.references import REFERENCES, VNNBENCH, bibliography
from leaderboard.tables import Format, write_leaderboard

File = tuple[str, bytes]
GALLERY = 6
FAULTS_SHOWN = 200
COLOURS = 8
"""Settings beyond these have the same colours again, with dashes."""


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


def _shown(value: object) -> object:
    """What becomes of every expression in a template: none is a dash, text from a ledger has no control characters."""
    if value is None:
        return NONE
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("leaderboard.site"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_shown,
    )  # fmt: skip
    environment.filters.update(
        number=tables.format_number,
        codes=_codes,
        percent=format_percent,
        exact=_exact,
        mebibytes=_mebibytes,
        count=count,
        fragment=_fragment,
    )
    environment.globals.update(words=tables.WORDS, network_text=tables.network_text, dash=NONE, colours=COLOURS)
    return environment


def _exact(value: float | None) -> str:
    """Five decimals, or five digits of what these would hide."""
    if value is None:
        return NONE
    return tables.with_minus(f"{value:.5f}" if value == 0 or 1e-3 <= abs(value) < 1e7 else f"{value:.4e}")


def _codes(text: str) -> Markup:
    """Escaped, with what stands between backticks as code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(Markup.escape(plain(text)))))  # noqa: S704 (escaped)


def _mebibytes(value: float | None) -> str:
    return NONE if value is None else f"{value / 2**20:.0f} MiB"


def _fragment(run: str) -> str:
    return quote(f"run-{run}", safe="")


def _picture_name(data: bytes) -> str:
    return f"pictures/{sha256(data).hexdigest()[:20]}.png"


class _Pages:
    """The pages of one site."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self._environment = _environment()

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
            answers={answer: answers.count(answer) for answer in tables.WORDS if answer in answers},
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
        data = {"figures": drawn, "tables": {"instances": tables.instance_table(self.contents, suite, "../")}}
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
                    "sheets": [sheet for sheet in sheets_of(board) if sheet.title == "Ranks by other measures"],
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
            "preparation": [
                sheet for sheet in sheets_of(leaderboard) if sheet.title == "Surrogates: transfer and preparation"
            ],
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
                "tables": {"runs": tables.run_table(contents, page.number, "../")},
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
        return Matrix(self.contents, contest.rows)

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
            shown_facts=_instance_facts(page),
            evidence=evidence,
            classes=_classes(evidence),
            pictures=_shown_pictures(evidence),
            found_by=found_by,
            columns=tables.RUNS,
            runs=[(run, contents.setting_of(run), tables.run_cells(run)) for run in runs],
            run_facts=_run_facts,
            suite=next(suite for suite in contents.suites if suite.name == (page.facts["suite"] or NO_SUITE)),
            siblings=[(other, tables.best_seconds(other)) for other in tables.sibling_rows(contents, page)],
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
                "tolerated": tables.tolerated_table(contents, tolerated, self._page_of),
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
                    "packages": _packages(str(row["packages"])),
                    "runs": len(own),
                    "disturbed": sum(record["disturbed"] == 1 for record in own),
                    "enforcement": ", ".join(sorted({str(record["enforcement"]) for record in own})),
                    "first": _minute(min((record["started_at"] for record in own), default=None)),
                    "last": _minute(max((record["started_at"] for record in own), default=None)),
                }
            )
        yield from self._page("machines.html", "machines.html", machines=machines)

    def downloads(self) -> Iterator[File]:
        """The page, and what it offers."""
        contents = self.contents
        files: list[tuple[str, str, bytes]] = []
        for form, about in ((Format.CSV, "one row per setting, unrounded"), (Format.JSON, "everything in the tables")):
            text = io.StringIO()
            write_leaderboard(contents.leaderboard, form, text)
            files.append((f"leaderboard.{form.value}", about, text.getvalue().encode()))
        files.append(("runs.csv", "one row per run, every field of the ledger", _runs_csv(contents.records)))
        files.append(("vnnbench.bib", "what to cite, as BibTeX", bibliography().encode()))
        for name, _, data in files:
            yield f"downloads/{name}", data
        listed = [(name, about, f"{len(data) / 1024:.0f} kB") for name, about, data in files]
        yield from self._page(
            "downloads.html", "downloads.html", files=listed, citation=Markup.escape(VNNBENCH.bibtex())
        )

    def shared(self) -> Iterator[File]:
        """Style, scripts and plotly."""
        for asset in resources.files("leaderboard.site").joinpath("assets").iterdir():
            yield f"assets/{asset.name}", asset.read_bytes()
        yield "assets/plotly.js", resources.files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()


def _answer_counts(suite: SuitePage) -> dict[str, int]:
    return {answer: sum(page.answer == answer for page in suite.instances) for answer in tables.WORDS}


def _shown_pictures(evidence: InstanceEvidence | None) -> dict[str, str | None]:
    best = evidence and evidence.best
    found = {
        "clean": evidence and evidence.clean,
        "best": best and best.picture,
        "difference": best and best.difference,
    }
    return {name: _picture_name(data) if data else None for name, data in found.items()}


def _classes(evidence: InstanceEvidence | None) -> list[dict[str, Any]]:
    """y_k - y_source of every class, clean and at the best point; the winner of each is marked."""
    if evidence is None or evidence.clean_outputs is None:
        return []
    clean, best = evidence.clean_outputs, evidence.best.outputs if evidence.best else None
    any_other = len(evidence.targets) == len(clean.exact) - 1
    return [
        {
            "label": k,
            "role": "source" if k == evidence.source else "target" if k in evidence.targets and not any_other else "",
            "clean": (clean.exact[k], clean.float32[k]),
            "best": (best.exact[k], best.float32[k]) if best else None,
            "wins_clean": _winner(clean) == k,
            "wins_best": best is not None and _winner(best) == k,
        }
        for k in range(len(clean.exact))
    ]


def _winner(outputs: Outputs) -> int:
    return outputs.exact.index(max(outputs.exact))


def _instance_facts(page: InstancePage) -> list[tuple[str, object]]:
    """What the catalogue says, in words; what it does not know is left out."""
    facts = page.facts
    size = None if facts["depth"] is None else f"{facts['depth']} x {facts['width']}"
    share = facts["unstable"], sum(facts[name] or 0 for name in ("stable_active", "stable_inactive", "unstable"))
    accuracy, dense = facts["accuracy"], facts["dense_accuracy"]
    shown: list[tuple[str, object]] = [
        ("problem", facts["problem"]),
        ("family", facts["family"]),
        ("data set", facts["dataset"]),
        ("image", facts["sample"]),
        ("input side", facts["input_side"]),
        ("hidden layers", size),
        ("network", facts["network"]),
        ("dense network", facts["dense_network"] if facts["network"] != facts["dense_network"] else None),
        ("pruning", tables.network_text(facts)),
        ("accuracy", None if accuracy is None else f"{100 * accuracy:.1f} %"),
        ("dense accuracy", f"{100 * dense:.1f} %" if dense is not None and dense != accuracy else None),
        ("norm", facts["norm"]),
        ("radius", None if facts["radius"] is None else f"{facts['radius']:.6g}"),
        ("source class", facts["source"]),
        ("target class", facts["target"]),
        ("threshold", None if facts["threshold"] is None else f"{facts['threshold']:g}"),
        ("value at the clean input", None if facts["centre_value"] is None else f"{facts['centre_value']:.6g}"),
        ("formulation", facts["formulation"]),
        ("bounds", facts["bounds"]),
        ("rows", facts["rows"]),
        ("columns", facts["columns"]),
        ("nonzeros", facts["nonzeros"]),
        ("binaries", facts["binaries"]),
        ("unstable neurons", f"{share[0]} of {share[1]}" if share[1] else None),
        ("coefficients", _range(facts["coefficient_min"], facts["coefficient_max"])),
        ("model", facts["model"]),
        ("sha256", facts["instance_sha256"]),
    ]
    return [(name, value) for name, value in shown if value is not None]


def _range(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"{low:.2g} to {high:.2g}"


def _run_facts(run: Record) -> list[tuple[str, object]]:
    """Everything that a run's row says, in the order in which one asks; what was not recorded is left out."""
    shown: list[tuple[str, object]] = [
        ("verdict", run["verdict"]),
        ("evidence", run["evidence"]),
        ("fault", run["fault"]),
        ("reason", run["fault_reason"]),
        ("the solver said", run["termination"]),
        ("in its words", run["raw_status"]),
        ("message", run["message"] or None),
        ("ended by", run["ended_by"]),
        ("claimed value", _digits(run["claimed_value"])),
        ("dual bound", _digits(run["dual_bound"])),
        ("exact value, dense network", _digits(run["best_exact_value"])),
        ("float32 value, ONNX Runtime", _digits(run["float32_value"])),
        ("beats all classes in float32", {0: "no", 1: "yes", None: None}.get(run["float32_beats_all"])),
        ("replayed on its own network", _digits(run["replayed_value"])),
        ("outside the set by, before repair", _digits(run["raw_violation"])),
        ("first success", _seconds(run["first_success_seconds"])),
        ("wall clock", _seconds(run["wall_seconds"])),
        ("of which reading", _seconds(run["read_seconds"])),
        ("processor time", _seconds(run["cpu_seconds"])),
        ("judging", _seconds(run["judge_seconds"])),
        ("peak memory", None if run["peak_memory_bytes"] is None else _mebibytes(run["peak_memory_bytes"])),
        ("nodes", run["nodes"]),
        ("incumbents", run["incumbents"]),
        ("seed", run["seed"]),
        ("permutation", run["permutation"]),
        ("attempt", f"{run['attempt']} of {run['attempts']}"),
        ("goal", run["goal"]),
        ("limits", f"{run['time_limit_seconds']:g} s, {_mebibytes(run['memory_limit_bytes'])}"),
        ("limits held by", run["enforcement"]),
        ("disturbed", {0: "no", 1: "yes", None: None}.get(run["disturbed"])),
        ("machine", run["machine"]),
        ("started", run["started_at"]),
        ("files", f"logs/{run['run']}.log.gz, candidates/{run['run']}.npz"),
    ]  # fmt: skip
    return [(name, value) for name, value in shown if value is not None]


def _digits(value: float | None) -> str | None:
    return None if value is None else f"{value:.9g}"


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{format_number(value)} s"


def _minute(started_at: str | None) -> str | None:
    """Of a time in ISO 8601, in UTC."""
    return None if started_at is None else started_at[:16].replace("T", " ")


def _packages(text: str) -> list[tuple[str, str]]:
    try:
        packages = json.loads(text)
    except ValueError:
        packages = None
    return sorted((str(name), str(version)) for name, version in packages.items()) if isinstance(packages, dict) else []


def _runs_csv(records: Sequence[Record]) -> bytes:
    """Text cells that a spreadsheet would take for a formula get an apostrophe in front."""
    text = io.StringIO()
    hidden = {"setting_number", "counted_first", "is_wrong", "dual_steps", "primal_steps"}
    names = [name for name in records[0] if name not in hidden] if records else []
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(record[name]) for name in names] for record in records)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return int(value) if isinstance(value, bool) else value
