"""Short labels of settings for the terminal: options may be thousands of characters long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import TypeVar

from vnnbench.common.text import CUT, plain, shortened
from vnnbench.leaderboard.ranking.approaches import ApproachRow
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard, SettingRow
from vnnbench.leaderboard.ranking.ranks import RankRow
from vnnbench.leaderboard.ranking.reference import ReferenceRow
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.surrogate_values import SurrogateValueRow
from vnnbench.leaderboard.ranking.tolerance import SensitivityRow
from vnnbench.leaderboard.records.answer_outcomes import AnswerRow
from vnnbench.leaderboard.records.settings import Setting

LONGEST = 80
"""The largest length of a label in characters; longer ones are cut. Some options and all limits fit."""
_END = 24
_BEFORE = 8
_Row = TypeVar(
    "_Row", SettingRow, RankRow, SurrogateRow, SurrogateValueRow, ApproachRow, SensitivityRow, AnswerRow, ReferenceRow
)


def with_short_labels(leaderboard: Leaderboard) -> Leaderboard:
    """Return the leaderboard with all labels and names cut to `LONGEST` characters, plus a number if two are equal."""
    settings = [row.setting for row in leaderboard.settings] + [row.setting for row in leaderboard.reference]
    labels = [*(setting.label for setting in settings), *(setting.name for setting in settings)]
    if all(len(plain(label)) <= LONGEST for label in labels):
        return leaderboard
    short = short_labels(labels)

    def shown(setting: Setting) -> Setting:
        return replace(setting, label=short[setting.label], name=short[setting.name])

    def renamed(rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
        return tuple(replace(row, setting=shown(row.setting)) for row in rows)

    conditions = leaderboard.conditions
    return replace(
        leaderboard,
        settings=renamed(leaderboard.settings),
        ranks=renamed(leaderboard.ranks),
        pairs=tuple(replace(row, faster=shown(row.faster), slower=shown(row.slower)) for row in leaderboard.pairs),
        surrogates=renamed(leaderboard.surrogates),
        surrogate_values=renamed(leaderboard.surrogate_values),
        approaches=renamed(leaderboard.approaches),
        sensitivity=renamed(leaderboard.sensitivity),
        planted=replace(leaderboard.planted, rows=renamed(leaderboard.planted.rows)),
        proven=replace(leaderboard.proven, rows=renamed(leaderboard.proven.rows)),
        reference=renamed(leaderboard.reference),
        faults=tuple(replace(row, setting=short[row.setting]) for row in leaderboard.faults),
        common=tuple(
            replace(one, not_compared=tuple(short[label] for label in one.not_compared)) for one in leaderboard.common
        ),
        conditions=replace(conditions, lacking=tuple((short[label], number) for label, number in conditions.lacking)),
    )


def short_labels(labels: Iterable[str]) -> dict[str, str]:
    """Return every label as plain text, with the long ones cut in their middle.

    Of those that would then be equal, the part around their first difference is kept; those that are still equal get a
    number.
    """
    texts = {label: plain(label) for label in labels}
    alike: dict[str, list[str]] = {}
    for text in texts.values():
        alike.setdefault(shortened(text, LONGEST), []).append(text)
    differences = {cut: _first_difference(same) for cut, same in alike.items() if len(same) > 1}
    found: dict[str, str] = {}
    taken: set[str] = set()
    numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(2))
    for label, text in texts.items():
        short = name = shortened(text, LONGEST)
        if short in differences:
            short = name = _cut_around(text, differences[short])
        while name in taken:
            name = f"{short} #{next(numbers[short])}"
        taken.add(name)
        found[label] = name
    return found


def _cut_around(text: str, place: int) -> str:
    """Return a long text cut so that the part around `place` is kept; a short text stays whole."""
    if len(text) <= LONGEST:
        return text
    middle = text[place - _BEFORE : place - _BEFORE + _END]
    return text[: LONGEST - 2 * (_END + len(CUT))] + CUT + middle + CUT + text[-_END:]


def _first_difference(texts: Sequence[str]) -> int:
    different = (place for place, characters in enumerate(zip(*texts, strict=False)) if len(set(characters)) > 1)
    return next(different, min(map(len, texts)))
