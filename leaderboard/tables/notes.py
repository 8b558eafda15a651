"""Notes below the tables: one line for each fact that a reader must know, and only where it applies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from vnnbench.common.text import plain
from vnnbench.leaderboard.ranking.leaderboard import Conditions, Leaderboard
from vnnbench.leaderboard.ranking.ranks import SIGNIFICANCE, PairRow
from vnnbench.leaderboard.ranking.sign_flips import least_p
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.tolerance import SensitivityRow
from vnnbench.leaderboard.records.answer_outcomes import AnswerOutcome, KnownAnswers
from vnnbench.leaderboard.tables.build import describe_group, name_within
from vnnbench.leaderboard.tables.phrases import describe_limits, describe_solvers, join_limits
from vnnbench.leaderboard.text import count, span, triples

PAIRS_SHOWN = 5
GROUPS_SHOWN = 5
LACKING_SHOWN = 3


def notes_on(leaderboard: Leaderboard) -> list[str]:
    """Return all notes that apply to this leaderboard, one line each."""
    conditions = leaderboard.conditions
    notes = [_common_note(leaderboard)] if leaderboard.common else []
    notes += _lacking_note(conditions)
    notes += _limit_note(leaderboard)
    notes += _primal_note(leaderboard)
    notes += _condition_notes(conditions, with_reference=bool(leaderboard.reference))
    notes += _rank_notes(leaderboard)
    notes += _pair_notes(leaderboard)
    notes += [*_answer_notes(leaderboard), *_sensitivity_notes(leaderboard.sensitivity)]
    return [*notes, *_transfer_notes(leaderboard.surrogates)]


def setup_note(leaderboard: Leaderboard) -> str:
    """Return the limits of the runs and the versions of the solvers, in one line; pages show these elsewhere."""
    settings = [row.setting for row in leaderboard.settings] + [row.setting for row in leaderboard.reference]
    limits = describe_limits(settings)
    memory = span([setting.memory_limit_bytes / 2**20 for setting in settings])
    return f"{limits[0].upper()}{limits[1:]}, {memory} MiB; {', '.join(describe_solvers(settings))}."


def _common_note(leaderboard: Leaderboard) -> str:
    sets = leaderboard.common
    inside, total = sum(s.common for s in sets), sum(s.triples for s in sets)
    within = " of its group" if len(sets) > 1 else ""
    note = f"Times: over the {inside} of {total} {triples(leaderboard.conditions.permutations)} that every setting"
    note += f"{within} ran"
    refused, missing = sum(s.refused for s in sets), sum(s.not_run_by_all for s in sets)
    out = [f"{refused} refused or interrupted"] if refused else []
    out += [f"{missing} not run by all"] if missing else []
    absent = sorted({label for s in sets for label in s.not_compared})
    out += [f"refused everything: {', '.join(_refused(label, leaderboard) for label in absent)}"] if absent else []
    return note + (f"; left out: {'; '.join(out)}." if out else ".")


def _refused(label: str, leaderboard: Leaderboard) -> str:
    """Return a setting's label, followed by the groups in which it was refused everything, if not in all groups."""
    groups = [one.group for one in leaderboard.common if label in one.not_compared]
    if len(groups) == len(leaderboard.common):
        return plain(label)
    parts = [describe_group(leaderboard.by, group) for group in groups[:GROUPS_SHOWN]]
    more = len(groups) - GROUPS_SHOWN
    parts += [count(more, "more group")] if more > 0 else []
    return f"{plain(label)} ({'; '.join(parts)})"


def _lacking_note(conditions: Conditions) -> Iterator[str]:
    if conditions.lacking:
        parts = [f"{plain(label)} lacks {number}" for label, number in conditions.lacking[:LACKING_SHOWN]]
        more = len(conditions.lacking) - LACKING_SHOWN
        parts += [f"{more} more {'lacks' if more == 1 else 'lack'} some"] if more > 0 else []
        why = "their plans differ, or a `vnnbench run` was stopped; the same command continues it"
        yield f"Of the {triples(conditions.permutations)} that others ran, {', '.join(parts)}: {why}."


def _limit_note(leaderboard: Leaderboard) -> Iterator[str]:
    """Yield notes only if instances have limits of their own, or compared settings different ones; other goals may
    have other limits."""
    if any(row.setting.time_limit_seconds is None for row in leaderboard.settings):
        yield f"Each instance has its own time limit ({span(leaderboard.conditions.time_limits)} s)."
    differ: set[float | None] = set()
    for _, rows in groupby(leaderboard.settings, key=lambda row: row.group):
        limits = {row.setting.time_limit_seconds for row in rows}
        differ |= limits if len(limits) > 1 else set()
    if differ:
        yield f"Time limits differ ({join_limits(differ)}): every run is cut at the shortest of those compared."


def _primal_note(leaderboard: Leaderboard) -> Iterator[str]:
    """Yield a note if steps were recorded for a part of the runs; without any, no number needs it."""
    lacking = [row for row in leaderboard.settings if 0 < row.primal_integral_runs < row.common_runs]
    if lacking:
        runs, known = (sum(getattr(row, name) for row in lacking) for name in ("common_runs", "primal_integral_runs"))
        named = ", ".join(dict.fromkeys(plain(row.setting.label) for row in lacking))
        yield (
            f"primal: over {known} of the {count(runs, 'run')} of {named}; an earlier version recorded no steps of the "
            "others."
        )


def _condition_notes(conditions: Conditions, *, with_reference: bool) -> Iterator[str]:
    if conditions.machines > 1:
        yield f"The runs come from {conditions.machines} machines: times and ranks are within each machine."
    if conditions.submitted:
        yield (
            f"Submitted from {count(conditions.submitted, 'machine')} (`vnnbench merge`): times, terminations and "
            "bounds are as submitted; every candidate was judged here."
        )
    if len(conditions.goals) > 1:
        yield (
            f"The goals {', '.join(map(plain, conditions.goals))} ask different questions: times and ranks are within "
            "each goal."
        )
    if len(conditions.enforcement) > 1:
        means = ", ".join(f"{runs} {plain(level)}" for level, runs in conditions.enforcement)
        yield f"The limits of these runs were enforced by different means: {means}."
    if len(conditions.counted) > 1:
        means = ", ".join(f"{runs} {plain(word)}" for word, runs in conditions.counted)
        yield f"Processor time and memory were measured by different means: {means}."
    if conditions.disturbed:
        reasons = (
            (conditions.without_cores, "without own cores"),
            (conditions.while_swapping, "while the machine swapped"),
            (conditions.while_stalled, "while the harness was stalled"),
            (conditions.by_others, "on cores that others used too"),
        )
        why = ", ".join(f"{runs} {reason}" for runs, reason in reasons if runs)
        again = "repeat with `vnnbench run LIBRARY --results RESULTS --retry disturbed`"
        whose = ", including those of the reference," if with_reference else ""
        were = "was" if conditions.disturbed == 1 else "were"
        yield f"{conditions.disturbed} of {conditions.runs} runs{whose} {were} disturbed ({why}): {again}."
    if conditions.retried:
        have = "has" if conditions.retried == 1 else "have"
        yield (
            f"{conditions.retried} of {conditions.runs} runs {have} several attempts: a wrong one counts, else the "
            "newest."
        )
    if conditions.tolerance:
        deviate = "deviates" if conditions.tolerance == 1 else "deviate"
        yield f"{conditions.tolerance} of {conditions.runs} runs {deviate} within tolerance: not counted as wrong."


def _rank_notes(leaderboard: Leaderboard) -> Iterator[str]:
    if leaderboard.pairs and not any(row.flips for row in leaderboard.ranks):
        measured = any(row.runs > row.unmeasured for row in leaderboard.sensitivity)
        spent = "with spent runs as unsolved"
        last = f"{spent}, and at every tolerance" if measured else f"and {spent}"
        within = " in every group" if leaderboard.by else ""
        yield f"The ranks are the same{within} by shifts of 1 and 100 s, PAR2, PAR10, the number solved, {last}."


def _pair_notes(leaderboard: Leaderboard) -> Iterator[str]:
    """Yield a line for each group, or one for all that are alike; the first one names the test."""
    test = " (sign-flip test, Holm, 5 %)"
    groups = [
        (group, _compared(leaderboard.by, list(own)))
        for group, own in groupby(leaderboard.pairs, key=lambda pair: pair.group)
    ]
    if len(groups) > 1 and len({told for _, told in groups}) == 1:
        compared, details = groups[0][1]
        yield f"{compared}{test} in every group{details}."
        return
    for group, (compared, details) in groups[:GROUPS_SHOWN]:
        where = f"{describe_group(leaderboard.by, group)}: " if leaderboard.by else ""
        yield f"{where}{compared}{test}{details}."
        test = ""
    if len(groups) > GROUPS_SHOWN:
        yield f"`--format json` shows the pairs of {count(len(groups) - GROUPS_SHOWN, 'more group')}."


def _compared(by: Sequence[str], pairs: Sequence[PairRow]) -> tuple[str, str]:
    """Return in two parts how many pairs of a group differ and which do not, or that there are too few problems."""
    alike = [pair for pair in pairs if not pair.differ]
    problems, least = pairs[0].problems, least_p(pairs[0].problems, len(pairs))
    if len(alike) == len(pairs) and least >= SIGNIFICANCE:
        are = "is" if problems == 1 else "are"
        few = f"{count(problems, 'independent problem')} {are} too few"
        return f"{few} to separate {count(len(pairs), 'pair')} of settings", f": the least possible p is {least:.2g}"
    named = "; ".join(
        " and ".join(name_within(by, setting) for setting in (pair.faster, pair.slower)) for pair in alike[:PAIRS_SHOWN]
    )
    more = f" and {len(alike) - PAIRS_SHOWN} more" if len(alike) > PAIRS_SHOWN else ""
    differing = len(pairs) - len(alike)
    head = f"{differing} of {count(len(pairs), 'pair')} of settings {'differs' if differing == 1 else 'differ'}"
    return head, f"; these do not: {named}{more}" if 0 < len(alike) < len(pairs) else ""


def _answer_notes(leaderboard: Leaderboard) -> Iterator[str]:
    if leaderboard.planted.rows:
        yield f"Planted answers: {_outcomes(leaderboard.planted)}."
    if leaderboard.proven.rows:
        certified, claimed = leaderboard.certified, leaderboard.claimed
        robust = f"; robust: {certified} certified, {claimed} claimed" if certified + claimed else ""
        yield f"Proven answers: {_outcomes(leaderboard.proven)}{robust}."


def _outcomes(known: KnownAnswers) -> str:
    runs = dict(known.outcomes)
    found, missed, undecided = (runs.get(outcome.value, 0) for outcome in AnswerOutcome)
    return (
        f"{count(known.problems, 'problem')}, {count(sum(runs.values()), 'run')}: {found} found, {missed} missed "
        f"(claimed otherwise), {undecided} undecided"
    )


def _sensitivity_notes(rows: Sequence[SensitivityRow]) -> Iterator[str]:
    unmeasured = sum(row.unmeasured for row in rows)
    if unmeasured < sum(row.runs for row in rows) and not any(row.depends for row in rows):
        yield (
            "Tolerance changes nothing: every setting has as many runs with a counterexample if candidates may lie "
            "1e-4 outside the input set as if they may not, before and after repair."
        )
    if unmeasured:
        yield (
            f"The effect of tolerance was not measured in {count(unmeasured, 'run')}, judged by an earlier version: "
            "`vnnbench confirm` measures it."
        )


def _transfer_notes(rows: Sequence[SurrogateRow]) -> Iterator[str]:
    if uncounted := sum(row.uncounted for row in rows):
        yield (
            f"Transferred candidates were not counted in {count(uncounted, 'run')} on "
            f"{'a surrogate' if uncounted == 1 else 'surrogates'}, judged by an earlier version: "
            "`vnnbench confirm` counts them."
        )
