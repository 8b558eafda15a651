"""The first screen of the overview: what is wrong or not comparable, what was compared, who is first, how surely."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vnnbench.leaderboard.ranking.leaderboard import Leaderboard, SettingRow
from vnnbench.leaderboard.ranking.ranks import PairRow, can_differ
from vnnbench.leaderboard.site.content import Contents, FileRanking, SettingPage
from vnnbench.leaderboard.site.rendering import mebibytes
from vnnbench.leaderboard.tables import phrases
from vnnbench.leaderboard.tables.notes import notes_on
from vnnbench.leaderboard.text import count, format_number, interval_text
from vnnbench.leaderboard.words import Fault, Verdict

SHOWN = 6
"""The most versions, suites or settings that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Winner:
    """The first settings of a ranking, and in words how sure that is. pages: none if none is done with a file.

    hedge: why the first may not be faster than the second; "" if a test says it is, or if there is no second.
    """

    ranking: FileRanking
    pages: tuple[SettingPage, ...]
    how_sure: tuple[str, ...]
    hedge: str


def winners(contents: Contents, rankings: Sequence[FileRanking]) -> list[Winner]:
    """Return the winner of each of these rankings."""
    found = []
    for ranking in rankings:
        board = ranking.leaderboard
        first = [row.setting for row in board.settings if row.rank == 1 and row.common_solved]
        sure = _how_sure(board, with_interval=not ranking.part) if board.settings else ("no solver ran",)
        found.append(Winner(ranking, tuple(map(contents.page_of, first)), sure, _hedge(board)))
    return found


def count_first(found: Sequence[Winner]) -> list[tuple[tuple[SettingPage, ...], str]]:
    """Return the settings that are first anywhere, those of the most rankings first, and in words in how many, and how
    sure that is."""
    hedges: dict[tuple[SettingPage, ...], list[str]] = {}
    for winner in found:
        if winner.pages:
            hedges.setdefault(winner.pages, []).append(winner.hedge)
    return [
        (pages, ", ".join([_in_how_many(len(own), len(found)), *_hedge_of_several(own)]))
        for pages, own in sorted(hedges.items(), key=lambda item: -len(item[1]))
    ]


def _in_how_many(number: int, rankings: int) -> str:
    return f"in all {number} rankings" if number == rankings else f"in {number} of {rankings} rankings"


def _hedge_of_several(hedges: Sequence[str]) -> Iterator[str]:
    """Yield the hedge of several rankings with the same first setting, unless it is surely the first in all."""
    if len(set(hedges)) > 1:
        yield f"separated from the second in {hedges.count('') or 'none'}"
    elif hedges[0]:
        yield hedges[0]


@dataclass(frozen=True, slots=True)
class Remark:
    """What a reader must know before any number. href: where it is explained; "" where nowhere. is_bad: whether answers
    are wrong."""

    text: str
    href: str = ""
    is_bad: bool = False


def remarks(contents: Contents) -> Iterator[Remark]:
    """Yield what is wrong, failed, disturbed or not comparable, the worst first."""
    notes = notes_on(contents.leaderboard)
    for note in notes.wrong:
        yield Remark(note, "contradictions.html", is_bad=True)
    for note in notes.above:
        yield Remark(note)


def _how_sure(board: Leaderboard, *, with_interval: bool) -> tuple[str, ...]:
    ranked = [row for row in board.settings if row.rank is not None]
    if not ranked:
        all_wrong = all(row.below_line for row in board.settings)
        return ("every setting gave a wrong answer" if all_wrong else "no times to compare",)
    first = next((row for row in ranked if row.common_solved), None)
    if first is None:
        return (f"no setting is done with a file, of {ranked[0].common_runs} each",)
    words = [f"done with {first.common_solved} of {first.common_runs}"]
    if first.rank_low is not None and with_interval:  # with several rankings, intervals would fill the screen
        words.append(f"95 % interval of its rank: {interval_text(first.rank_low, first.rank_high).replace('-', '–')}")
    second = _second(board)
    if second is not None:
        test = _first_test(board)
        chance = "" if test is None else _chance(test, len(board.pairs))
        words.append(f"{second.setting.label} takes {format_number(second.sgm10_ratio)} times as long{chance}")
    return tuple(words)


def _second(board: Leaderboard) -> SettingRow | None:
    """Return the next ranked setting after the first that does not share its rank."""
    return next((row for row in board.settings if row.rank not in (None, 1)), None)


def _first_test(board: Leaderboard) -> PairRow | None:
    """Return the test of the first setting of a ranking and the second."""
    second = _second(board)
    if second is None:
        return None
    sides = {next(row.setting for row in board.settings if row.rank is not None), second.setting}
    return next((pair for pair in board.pairs if {pair.faster, pair.slower} == sides), None)


def _hedge(board: Leaderboard) -> str:
    test = _first_test(board)
    if test is None or test.differ:
        return ""
    can_tell = can_differ(test.problems, len(board.pairs))
    return f"not separated from {test.slower.label}" if can_tell else "too few problems to tell"


def _chance(test: PairRow, pairs: int) -> str:
    """Describe in words the test of a pair, one of `pairs`."""
    if test.differ:
        return ", significantly"
    if not can_differ(test.problems, pairs):
        few = "is too few" if test.problems == 1 else "are too few"
        return f"; {count(test.problems, 'independent problem')} {few} for a test"
    return ", which may be chance"


def describe_solvers(contents: Contents) -> str:
    """Name the solvers with their versions."""
    settings = [page.setting for page in contents.settings if not page.is_reference]
    return _listed([f"{setting.solver} {setting.solver_version}" for setting in settings])


def describe_limits(contents: Contents) -> str:
    """Describe the limits of the runs."""
    settings = [page.setting for page in contents.settings]
    memory = sorted({setting.memory_limit_bytes for setting in settings})
    ends = dict.fromkeys((memory[0], memory[-1]))
    return f"{phrases.describe_limits(settings)}, {' to '.join(mebibytes(end) for end in ends)}"


def describe_questions(contents: Contents) -> str:
    """Count the problems and the seeds, and name the suites."""
    problems = len({page.facts["problem"] for page in contents.instances})
    seeds = len({record["seed"] for record in contents.records})
    suites = _listed([suite.name for suite in contents.suites])
    return f"{count(problems, 'problem')} of {suites}, {count(seeds, 'seed')}"


def describe_machines(contents: Contents) -> str:
    """Name the type of CPU, or count the types where there are several."""
    cpus = contents.leaderboard.conditions.cpus
    return cpus[0] if len(cpus) == 1 else f"{len(cpus)} types of CPU, each ranked by itself"


def describe_confirmed(contents: Contents) -> list[str]:
    """Count the answers that are confirmed or unrefuted."""
    verdicts = [record["verdict"] for record in contents.records if not record["is_wrong"]]
    shown = (
        (verdicts.count(Verdict.ADVERSARIAL), "counterexample", "confirmed exactly"),
        (verdicts.count(Verdict.VALUE), "value", "confirmed exactly"),
        (verdicts.count(Verdict.ROBUST), "robust claim", "unrefuted"),
        (sum(record["fault"] == Fault.TOLERANCE for record in contents.records), "run", "deviating within tolerance"),
    )
    return [f"{count(number, thing)} {how}" for number, thing, how in shown if number]


def _listed(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more])
