"""Writing pages from templates, with what all pages of a site have in common.

A page has no inline styles and no inline scripts, which its Content-Security-Policy forbids. Its plots and long tables
are in a script of the same name, because a page that is read from a disk can load data only in this form.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any

from vnnbench.leaderboard.file_names import file_names
from vnnbench.leaderboard.site.content import Contents, FileRanking, InstancePage, Record
from vnnbench.leaderboard.site.evidence import InstanceEvidence
from vnnbench.leaderboard.site.figures import data_script
from vnnbench.leaderboard.site.rendering import environment
from vnnbench.leaderboard.site.time_matrix import Matrix

File = tuple[str, bytes]
"""The relative path of a file, and its content."""


class Writer:
    """A writer of the pages of one site. logs: the paths of the logs that are shown, by run."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.logs = {run: f"logs/{name}.html" for run, name in file_names(contents.source.logs).items()}
        self._environment = environment()

    def page(self, template: str, path: str, data: dict[str, Any] | None = None, **values: Any) -> Iterator[File]:
        """Yield a page and, where it has data, its script."""
        root = "../" * path.count("/")
        script = path.removesuffix(".html") + ".js" if data else None
        text = self._environment.get_template(template).render(
            root=root,
            path=path,
            script=root + script if script else None,
            plots=bool(data and any(data.get("figures", []))),
            published=self.contents.source.published,
            site_title=self.contents.source.byline.title,
            authors=self.contents.source.byline.authors,
            has_thresholds=self.contents.has_thresholds,
            n_faults=len(self.contents.leaderboard.faults),
            **values,
        )
        yield path, text.encode()
        if data and script:
            yield script, data_script(data)

    @cache  # noqa: B019 (as long-lived as the site)
    def matrix(self, contest: FileRanking) -> Matrix:
        """Return the times of a contest, which several plots show."""
        return Matrix(self.contents, contest)

    def evidence(self, page: InstancePage) -> InstanceEvidence | None:
        """Return the evidence on an instance from its library."""
        return self.contents.source.evidence.get(page.facts["instance_sha256"])

    def page_of(self, record: Record) -> InstancePage:
        """Return the page that shows a run."""
        return self.contents.instance_of[record["instance_sha256"]]


def pictures(writer: Writer) -> Iterator[File]:
    """Yield every picture, and every file of a best candidate, once, even if several pages show it."""
    seen: set[str] = set()
    for evidence in writer.contents.source.evidence.values():
        best, model = evidence.best, evidence.model
        shown = (evidence.clean, best and best.picture, best and best.difference, model and model.plane)
        found = [(_picture_name(data), data) for data in shown if data]
        if model and model.file:
            found.append((_model_name(*model.file), model.file[1]))
        for name, data in found:
            if name not in seen:
                seen.add(name)
                yield name, data


def shown_pictures(evidence: InstanceEvidence | None) -> dict[str, str | None]:
    """Return the paths of the pictures of an instance."""
    best, model = (evidence.best, evidence.model) if evidence else (None, None)
    found = {
        "clean": evidence and evidence.clean,
        "best": best and best.picture,
        "difference": best and best.difference,
        "plane": model and model.plane,
    }
    return {name: _picture_name(data) if data else None for name, data in found.items()}


def download_of(evidence: InstanceEvidence | None) -> tuple[str, str, int] | None:
    """Return the path of the best candidate's file, the ending of its name, and its size in bytes."""
    if evidence is None or evidence.model is None or evidence.model.file is None:
        return None
    ending, data = evidence.model.file
    return _model_name(ending, data), ending, len(data)


def _model_name(ending: str, data: bytes) -> str:
    return f"best/{sha256(data).hexdigest()[:20]}.{ending}"


def _picture_name(data: bytes) -> str:
    return f"pictures/{sha256(data).hexdigest()[:20]}.png"
