"""The output of `vnnbench judge`, for one solution from any source, and of `confirm`, for all stored candidates.

Each public function is one command's work and returns the command's exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vnnbench.common.tolerances import CLAIM_TOLERANCE
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.judging.external_solutions import FileContent, read_content
from vnnbench.judging.judge import CandidateJudgement, FileCheck, Judge
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.text import count, count_runs
from vnnbench.leaderboard.words import Evidence
from vnnbench.ledger.confirm import confirm
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.output import display
from vnnbench.output.progress import ProgressBar

_TITLES = {"float32_value": "deployed_value", "float32_beats_all": "deployed_beats_all"}
"""The names in the table of facts that JSON calls float32, as if every network were deployed so."""
_LEFT_OUT = ("float32_beats_all", "file_value", "row_violation")
"""The facts that the table leaves out where there are none."""


def judge_file(folder: Path, instance: str, solution: Path, output: str) -> int:
    """Judge the solution or the candidates of a file and print the best; return 0 when one is confirmed, else 1.

    Where the file has every column of the model, it prints the value of these columns too.
    """
    library = Library.open(folder)
    row = library.row(instance)
    library.verify_row(row)
    judge = Judge.of_instance(library, row)
    content = read_content(solution, judge)
    judged = [judge.judge(candidate) for candidate in content.candidates]
    best = max(judged, key=lambda j: (j.confirmed, j.value is not None, j.value or 0))
    check = _check(judge, content)
    facts = {"instance": instance, "candidates": len(judged), **_judged_facts(judge, best, check)}
    if output == "json":
        display.print_json(facts)
    else:
        display.print_facts(dict(_shown(facts)))
        sys.stdout.write(f"{_in_words(judge, best)}\n")
        if (other := _other_value(judge, check)) is not None:
            display.print_text(other)
    return 0 if best.confirmed else 1


def _check(judge: Judge, content: FileContent) -> FileCheck | None:
    """Return the check of a file's columns; None where the file does not have them all."""
    if content.columns is None:
        return None
    return judge.hold_against_file(content.columns, judge.model.column_names)


def _shown(facts: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield the facts as a table shows them: with names that hold for every family, and without those that are about
    classes or columns where there are none."""
    for name, value in facts.items():
        if name == "measures":
            yield from value.items()
        elif value is not None or name not in _LEFT_OUT:
            yield _TITLES.get(name, name), value


def _other_value(judge: Judge, check: FileCheck | None) -> str | None:
    """Say that the file's columns have another value than the candidate that they hold; None if they do not."""
    if check is None or check.file_value is None or check.replayed_value is None:
        return None
    if abs(check.file_value - check.replayed_value) <= CLAIM_TOLERANCE * max(1.0, abs(check.replayed_value)):
        return None
    return (
        f"the columns of the file have another value, {check.file_value:.6g}, than {judge.problem.candidate_text} that "
        f"is read from them: {check.replayed_value:.6g}"
    )


def _in_words(judge: Judge, best: CandidateJudgement) -> str:
    if best.confirmed:
        verdict = f"confirmed: {judge.problem.confirmed_text}, in exact arithmetic"
        if best.evidence is Evidence.EXACT:
            return verdict
        return f"{verdict}, after the point, outside of the input set by {best.raw_violation:g}, was moved into it"
    if best.point is None:
        return "not confirmed: no point of the input set can be made of it"
    moved = "" if best.evidence is Evidence.EXACT or not best.raw_violation else ", moved into the input set,"
    if best.value is None:
        return f"not confirmed: the point{moved} does not reach what the problem asks for"
    return f"not confirmed: the exact value of the point{moved} is {float(best.value):.6g}, no answer to the problem"


def _judged_facts(judge: Judge, best: CandidateJudgement, check: FileCheck | None) -> dict[str, Any]:
    deployed = judge.deploy(best.point) if best.point is not None else None
    return {
        "confirmed": best.confirmed,
        "success": best.success,
        "evidence": best.evidence.value,
        "raw_violation": best.raw_violation,
        "exact_value": None if best.value is None else float(best.value),
        "float32_value": None if deployed is None else deployed.value,
        "float32_beats_all": None if deployed is None else deployed.beats_all,
        "measures": {} if best.point is None else judge.measures(best.point),
        "file_value": None if check is None else check.file_value,
        "row_violation": None if check is None else check.row_violation,
    }


def confirm_results(results: Path, libraries: Sequence[Path], output: str) -> int:
    """Judge all stored candidates again and print the differences; return 1 when there are any, else 0."""
    with ProgressBar("confirm") as progress:
        found = confirm(results, LibrarySet.open(libraries), progress)
    runs = read_runs(results / LEDGER_NAME)
    if output == "json":
        display.print_json({"runs": len(runs), "differences": [asdict(difference) for difference in found]})
    else:
        for difference in found:
            sys.stdout.write(f"{difference}\n")
        judged = count_runs(len(runs), int(runs["attempts"].sum()))
        sys.stdout.write(f"{results}: {judged} judged again, {count(len(found), 'difference')}\n")
    return 1 if found else 0
