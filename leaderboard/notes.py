"""What a reader must know beside the tables, a line each, and only where it applies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from leaderboard.contests import CommonSet
from leaderboard.plain_text import plain
from leaderboard.prose import count, triples
from leaderboard.ranking import Conditions, Leaderboard
from leaderboard.sensitivity import SensitivityRow
from leaderboard.surrogates import SurrogateRow

PAIRS_SHOWN = 5
LACKING_SHOWN = 3


def notes_on(leaderboard: Leaderboard) -> list[str]:
    """All lines that apply to this leaderboard."""
    conditions = leaderboard.conditions
    notes = [_common_note(leaderboard.common, conditions)] if leaderboard.common else []
    notes += _lacking_note(conditions)
    notes += _condition_notes(conditions)
    tolerance = sum(row.tolerance for row in leaderboard.settings)
    if tolerance:
        notes.append(f"{tolerance} of {conditions.runs} runs deviate within tolerance: nobody's fault.")
    notes += _rank_notes(leaderboard)
    notes += [*_planted_notes(leaderboard), *_sensitivity_notes(leaderboard.sensitivity)]
    return [*notes, *_transfer_notes(leaderboard.surrogates)]


def _common_note(common: Iterable[CommonSet], conditions: Conditions) -> str:
    sets = list(common)
    inside, total = sum(s.common for s in sets), sum(s.triples for s in sets)
    within = " of its group" if len(sets) > 1 else ""
    note = f"Times: over the {inside} of {total} {triples(conditions.permutations)} that every setting{within} ran"
    refused, missing = sum(s.refused for s in sets), sum(s.not_run_by_all for s in sets)
    out = [f"{refused} refused or interrupted"] if refused else []
    out += [f"{missing} not run by all"] if missing else []
    absent = sorted({plain(label) for s in sets for label in s.not_compared})
    out += [f"refused everything{within}: {', '.join(absent)}"] if absent else []
    return note + (f"; left out: {'; '.join(out)}." if out else ".")


def _lacking_note(conditions: Conditions) -> Iterator[str]:
    if conditions.lacking:
        told = [f"{plain(label)} lacks {number}" for label, number in conditions.lacking[:LACKING_SHOWN]]
        more = len(conditions.lacking) - LACKING_SHOWN
        told += [f"{more} more lack some"] if more > 0 else []
        again = "a `vnnbench run` that was stopped goes on when given again"
        yield f"Of the {triples(conditions.permutations)} that others ran, {', '.join(told)}: {again}."


def _condition_notes(conditions: Conditions) -> Iterator[str]:
    if conditions.machines > 1:
        yield f"The runs come from {conditions.machines} machines: times and ranks are within each."
    if conditions.submitted:
        yield (
            f"Submitted from {count(conditions.submitted, 'machine')} (`vnnbench merge`): times, terminations and "
            "bounds are as submitted; every candidate was judged here."
        )
    if len(conditions.enforcement) > 1:
        means = ", ".join(f"{runs} {plain(level)}" for level, runs in conditions.enforcement)
        yield f"The limits of these runs were held by different means: {means}."
    if conditions.disturbed:
        reasons = (
            (conditions.without_cores, "had no cores of their own"),
            (conditions.while_swapping, "ran while the machine swapped"),
            (conditions.by_others, "had others working on their cores"),
        )
        why = ", ".join(f"{runs} {reason}" for runs, reason in reasons if runs)
        again = "give `vnnbench run` again with `--retry disturbed`"
        yield f"{conditions.disturbed} of {conditions.runs} runs were disturbed ({why}): {again}."
    if conditions.retried:
        yield (
            f"{conditions.retried} of {conditions.runs} runs have several attempts: the newest counts, or one that was "
            "wrong."
        )


def _rank_notes(leaderboard: Leaderboard) -> Iterator[str]:
    pairs = leaderboard.pairs
    if not pairs:
        return
    if not any(row.flips for row in leaderboard.ranks):
        yield (
            "The ranks are the same by shifts of 1 and 100 s, PAR2, PAR10, the number solved, with the time of spent "
            "runs, and at every tolerance."
        )
    alike = [f"{plain(pair.faster.label)} and {plain(pair.slower.label)}" for pair in pairs if not pair.differ]
    told = (
        f"{len(pairs) - len(alike)} of {count(len(pairs), 'pair')} of settings differ (Wilcoxon signed-rank, Holm, 5 %)"
    )
    more = f" and {len(alike) - PAIRS_SHOWN} more" if len(alike) > PAIRS_SHOWN else ""
    yield f"{told}; not {'; '.join(alike[:PAIRS_SHOWN])}{more}." if alike else f"{told}."


def _planted_notes(leaderboard: Leaderboard) -> Iterator[str]:
    if leaderboard.planted:
        runs, found, missed, undecided = (
            sum(getattr(row, name) for row in leaderboard.planted) for name in ("runs", "found", "missed", "undecided")
        )
        yield (
            f"Planted answers: {count(leaderboard.planted_problems, 'problem')}, {count(runs, 'run')}: {found} found, "
            f"{missed} missed (claimed otherwise), {undecided} undecided."
        )


def _sensitivity_notes(rows: Sequence[SensitivityRow]) -> Iterator[str]:
    unmeasured = sum(row.unmeasured for row in rows)
    if unmeasured < sum(row.runs for row in rows) and not any(row.depends for row in rows):
        yield (
            "Tolerance changes nothing: in every setting as many runs have a counterexample, whether candidates may "
            "lie 1e-4 outside the input set or not at all, before and after repair."
        )
    if unmeasured:
        yield (
            f"How much is tolerance was not measured of {count(unmeasured, 'run')} of an earlier version: "
            "`vnnbench confirm` does so."
        )


def _transfer_notes(rows: Sequence[SurrogateRow]) -> Iterator[str]:
    if uncounted := sum(row.uncounted for row in rows):
        yield (
            f"What transfers was not counted of {count(uncounted, 'run')} of an earlier version on surrogates: "
            "`vnnbench confirm` does so."
        )
