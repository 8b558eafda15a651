"""Notes on the tables: one line for each fact that a reader must know, and only where it applies.

Above the tables stands what makes numbers wrong, disturbed or not comparable; at the table of times how much its ranks
say; below the tables everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from vnnbench.common.text import plain
from vnnbench.leaderboard.ranking.columns import rank_head
from vnnbench.leaderboard.ranking.leaderboard import Conditions, FaultRow, Leaderboard, SettingRow
from vnnbench.leaderboard.ranking.ranks import MEASURES, PairRow, can_differ
from vnnbench.leaderboard.ranking.sign_flips import least_p
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.tolerance import SensitivityRow
from vnnbench.leaderboard.records.answer_outcomes import AnswerOutcome, KnownAnswers
from vnnbench.leaderboard.tables.build import describe_group, name_within
from vnnbench.leaderboard.tables.phrases import describe_absent, describe_limits, describe_solvers, join_limits
from vnnbench.leaderboard.text import TRIPLES, count, span
from vnnbench.leaderboard.words import SUBMITTED

NAMES_SHOWN = 3
"""The settings, groups or pairs that a note names; it counts the others."""


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes that apply to a leaderboard, by their places: on wrong answers, above the tables, at the table of
    times, and below."""

    wrong: tuple[str, ...]
    above: tuple[str, ...]
    on_times: tuple[str, ...]
    below: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return self.wrong + self.above + self.on_times + self.below


def notes_on(leaderboard: Leaderboard) -> Notes:
    """Return all notes that apply to this leaderboard."""
    conditions = leaderboard.conditions
    return Notes(
        wrong=tuple(_wrong_note(leaderboard.faults)),
        above=(
            *_failed_note(leaderboard.settings),
            *doubtful_notes(leaderboard),
            *_lacking_note(conditions),
            *_left_out_note(leaderboard),
            *_limit_note(leaderboard),
            *_apart_notes(conditions),
        ),
        on_times=(
            *_common_note(leaderboard),
            *_pair_note(leaderboard),
            *_rank_note(leaderboard),
            *_primal_note(leaderboard),
        ),
        below=(
            *_own_limit_note(leaderboard),
            *_attempt_notes(conditions),
            *_answer_notes(leaderboard),
            *_sensitivity_notes(leaderboard.sensitivity),
            *_transfer_notes(leaderboard.surrogates),
        ),
    )


def summary_of(leaderboard: Leaderboard) -> str:
    """Return how many runs there are, and how many of them are wrong, disturbed and missing."""
    conditions = leaderboard.conditions
    numbers = {
        "wrong": len(leaderboard.faults),
        "disturbed": conditions.disturbed,
        "missing": sum(number for _, number in conditions.lacking),
    }
    said = ", ".join(f"{number or 'none'} {word}" for word, number in numbers.items())
    return f"{count(conditions.runs, 'run')}: {said}."


def setup_note(leaderboard: Leaderboard) -> str:
    """Return the limits of the runs and the versions of the solvers, in one line; pages show these elsewhere."""
    settings = [row.setting for row in leaderboard.settings] + [row.setting for row in leaderboard.reference]
    limits = describe_limits(settings)
    memory = span([setting.memory_limit_bytes / 2**20 for setting in settings])
    return f"{limits[0].upper()}{limits[1:]}, {memory} MiB; {', '.join(describe_solvers(settings))}."


def _first(names: Sequence[str], more: str) -> str:
    """Return the first names, and how many more there are."""
    left = len(names) - NAMES_SHOWN
    return ", ".join([*names[:NAMES_SHOWN], *([count(left, f"more {more}")] if left > 0 else [])])


def _numbered(of_settings: Iterable[tuple[str, int]]) -> str:
    """Return the first settings by their labels, each with its number."""
    return _first([f"{plain(label)} {number}" for label, number in of_settings], "setting")


# -- above the tables ------------------------------------------------------------------------------------------------


def _wrong_note(faults: Sequence[FaultRow]) -> Iterator[str]:
    if faults:
        runs = Counter(fault.setting for fault in faults)
        named = _numbered(runs.most_common())
        yield f"Wrong answers in {count(len(faults), 'run')}: {named}. Such a setting has no rank."


def _failed_note(rows: Sequence[SettingRow]) -> Iterator[str]:
    failed: Counter[str] = Counter()
    for row in rows:
        failed[row.setting.label] += row.errors
    if failed.total():
        yield f"Runs failed ({_numbered((+failed).most_common())}): their logs say why."


def doubtful_notes(leaderboard: Leaderboard) -> Iterator[str]:
    """Yield what makes measured times doubtful. Formats that hold rows alone have no other place for it than stderr."""
    conditions = leaderboard.conditions
    if runs := conditions.impossible:
        have = "has" if len(runs) == 1 else "have"
        named = _first(list(map(plain, runs)), "run")
        yield (
            f"{len(runs)} of {conditions.runs} runs {have} times that no run can have ({named}): negative, long after "
            "the limit, or an answer after the end. They are ranked as they are stored; do not trust them."
        )
    if conditions.disturbed:
        reasons = (
            (conditions.without_cores, "without own cores"),
            (conditions.while_swapping, "while the machine swapped"),
            (conditions.while_stalled, "while the harness was stalled"),
            (conditions.by_others, "on cores that others used too"),
        )
        why = ", ".join(f"{runs} {reason}" for runs, reason in reasons if runs)
        own = conditions.disturbed - conditions.disturbed_elsewhere
        command = "repeat with `vnnbench run LIBRARY --results RESULTS --retry disturbed`"
        again = command if own else "they can be repeated only where they were made"
        whose = ", including those of the reference," if leaderboard.reference else ""
        were = "was" if conditions.disturbed == 1 else "were"
        yield f"{conditions.disturbed} of {conditions.runs} runs{whose} {were} disturbed ({why}): {again}."


def _lacking_note(conditions: Conditions) -> Iterator[str]:
    if conditions.lacking:
        elsewhere = ", they were made on another type of CPU" if len(conditions.cpus) > 1 else ""
        why = f"their plans differ{elsewhere}, or a `vnnbench run` was stopped; the same command continues it"
        yield f"Runs are missing that others made ({_numbered(conditions.lacking)}): {why}."


def _left_out_note(leaderboard: Leaderboard) -> Iterator[str]:
    """Yield what the times are not over: times are compared over what every setting ran."""
    sets = leaderboard.common
    refused, missing = sum(s.refused for s in sets), sum(s.not_run_by_all for s in sets)
    if why := describe_absent(refused, missing):
        total = sum(s.triples for s in sets)
        unused = sorted({dataset for s in sets for dataset in s.unused})
        whole = f", among them all of {_first(list(map(plain, unused)), 'data set')} in a group" if unused else ""
        advice = "; `--by dataset` compares what each was run on" if unused else ""
        said = f"{refused + missing} of {count(total, 'triple')} ({why}{whole})"
        yield f"Left out of all times: {said}{advice}."
    if absent := sorted({label for s in sets for label in s.not_compared}):
        yield f"Refused everything: {_first([_refused(label, leaderboard) for label in absent], 'setting')}."


def _refused(label: str, leaderboard: Leaderboard) -> str:
    """Return a setting's label, followed by the groups in which it was refused everything, if not in all groups."""
    groups = [one.group for one in leaderboard.common if label in one.not_compared]
    if len(groups) == len(leaderboard.common):
        return plain(label)
    named = "; ".join(describe_group(leaderboard.by, group) for group in groups[:NAMES_SHOWN])
    more = f"; {count(len(groups) - NAMES_SHOWN, 'more group')}" if len(groups) > NAMES_SHOWN else ""
    return f"{plain(label)} ({named}{more})"


def _limit_note(leaderboard: Leaderboard) -> Iterator[str]:
    """Yield a note only if compared settings have different limits; other goals may have other limits."""
    differ: set[float | None] = set()
    for _, rows in groupby(leaderboard.settings, key=lambda row: row.group):
        limits = {row.setting.time_limit_seconds for row in rows}
        differ |= limits if len(limits) > 1 else set()
    if differ:
        yield f"Time limits differ ({join_limits(differ)}): every run is cut at the shortest of those compared."


def _apart_notes(conditions: Conditions) -> Iterator[str]:
    if len(conditions.cpus) > 1:
        apart = ", and those of submitted runs apart" if conditions.submitted else ""
        yield (
            f"The runs come from {count(conditions.machines, 'machine')}: times and ranks are within each type of "
            f"CPU{apart}."
        )
    elif conditions.machines > 1:
        yield (
            f"The runs come from {conditions.machines} machines of one type of CPU, "
            f"{plain(conditions.cpus[0].removeprefix(SUBMITTED))}: their times are compared."
        )
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


# -- at the table of times -------------------------------------------------------------------------------------------


def _common_note(leaderboard: Leaderboard) -> Iterator[str]:
    sets = leaderboard.common
    if sets:
        inside, total = sum(s.common for s in sets), sum(s.triples for s in sets)
        within = " of its group" if len(sets) > 1 else ""
        yield f"Times: over the {inside} of {total} {TRIPLES} that every setting{within} ran."


def _pair_note(leaderboard: Leaderboard) -> Iterator[str]:
    """Yield how many pairs of settings differ, and in how many groups there are too few problems to separate any."""
    groups = [list(own) for _, own in groupby(leaderboard.pairs, key=lambda pair: pair.group)]
    few, enough = [own for own in groups if _too_few(own)], [own for own in groups if not _too_few(own)]
    test = "(sign-flip test, Holm, 5 %)"
    problems, least = _fewness(few) if few else ("", "")
    if enough:
        pairs = [pair for own in enough for pair in own]
        differing = sum(pair.differ for pair in pairs)
        inside = f" in {count(len(enough), 'group')}" if len(groups) > 1 else ""
        said = f"{differing} of {_pairs(len(pairs))}{inside} {'differs' if differing == 1 else 'differ'} {test}"
        if len(groups) == 1 and 0 < differing < len(pairs):
            said += f"; these do not: {_alike(leaderboard.by, pairs)}"
        if few:
            said += f"; in {count(len(few), 'more group')}, {problems} too few to separate any: {least}"
        yield f"{said}."
    elif few:
        inside = " in every group" if len(groups) > 1 else ""
        number = span([len(own) for own in few])
        yield f"{problems} too few to separate {_pairs(number)} {test}{inside}: {least}."


def _pairs(number: int | str) -> str:
    return f"{number} pair{'' if str(number) == '1' else 's'} of settings"


def _too_few(pairs: Sequence[PairRow]) -> bool:
    """Return whether no test of a group could find a difference."""
    return not any(pair.differ for pair in pairs) and not can_differ(pairs[0].problems, len(pairs))


def _fewness(groups: Sequence[Sequence[PairRow]]) -> tuple[str, str]:
    """Return the phrases on the number of problems in these groups, and on the least p that it allows."""
    problems = span([own[0].problems for own in groups])
    least = min(least_p(own[0].problems, len(own)) for own in groups)
    are = "problem is" if problems == "1" else "problems are"
    return f"{problems} independent {are}", f"the least possible p is {least:.2g}"


def _alike(by: Sequence[str], pairs: Sequence[PairRow]) -> str:
    alike = [pair for pair in pairs if not pair.differ]
    named = [" and ".join(name_within(by, one) for one in (pair.faster, pair.slower)) for pair in alike[:NAMES_SHOWN]]
    more = f" and {len(alike) - NAMES_SHOWN} more" if len(alike) > NAMES_SHOWN else ""
    return "; ".join(named) + more


def _rank_note(leaderboard: Leaderboard) -> Iterator[str]:
    """Yield whether other measures rank alike, and if not, which ones do not."""
    if not leaderboard.pairs:
        return
    flips = {rank_head(measure) for row in leaderboard.ranks for measure in row.flips}
    heads = dict.fromkeys(map(rank_head, MEASURES))
    if flips:
        groups, own = ({row.group for row in leaderboard.ranks if row.flips or every} for every in (True, False))
        where = f" in {len(own)} of {len(groups)} groups" if len(groups) > 1 else ""
        yield f"Other measures give other ranks{where}: {', '.join(head for head in heads if head in flips)}."
        return
    measured = any(row.runs > row.unmeasured for row in leaderboard.sensitivity)
    spent = "with spent runs as unsolved"
    last = f"{spent}, and at every tolerance" if measured else f"and {spent}"
    within = " in every group" if leaderboard.by else ""
    done = "the number done (equal ones by sgm10)"
    yield f"The ranks are the same{within} by shifts of 1 and 100 s, PAR2, PAR10, {done}, {last}."


def _primal_note(leaderboard: Leaderboard) -> Iterator[str]:
    """Yield a note if steps were recorded for a part of the runs; without any, no number needs it."""
    lacking = [row for row in leaderboard.settings if 0 < row.primal_integral_runs < row.common_runs]
    if lacking:
        runs, known = (sum(getattr(row, name) for row in lacking) for name in ("common_runs", "primal_integral_runs"))
        named = _first([*dict.fromkeys(plain(row.setting.label) for row in lacking)], "setting")
        yield (
            f"primal: over {known} of the {count(runs, 'run')} of {named}; an earlier version recorded no steps of the "
            "others."
        )


# -- below the tables ------------------------------------------------------------------------------------------------


def _own_limit_note(leaderboard: Leaderboard) -> Iterator[str]:
    if any(row.setting.time_limit_seconds is None for row in leaderboard.settings):
        yield f"Each instance has its own time limit ({span(leaderboard.conditions.time_limits)} s)."


def _attempt_notes(conditions: Conditions) -> Iterator[str]:
    if conditions.retried:
        have = "has" if conditions.retried == 1 else "have"
        yield (
            f"{conditions.retried} of {conditions.runs} runs {have} several attempts: a wrong one counts, else the "
            "newest."
        )
    if conditions.tolerance:
        deviate = "deviates" if conditions.tolerance == 1 else "deviate"
        yield f"{conditions.tolerance} of {conditions.runs} runs {deviate} within tolerance: not counted as wrong."


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
