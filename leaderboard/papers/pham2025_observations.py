"""The observations i to xiii and conclusions I to V of [P] (Pham et al., arXiv:2505.01985), tested on our runs.

Each setting and formulation has its own verdicts. A pair is that of `pham2025.pairs_of`, inside the paper's grid of
data, sides and architectures. Where the paper compares two kinds of surrogates or of networks, their pairs are matched:
surrogates of the same network, problem and remaining kind; networks of the same data set, seed and remaining sizes.
The text of the paper is read as follows, since it states no test: "most" is more than half of all pairs; "across rates"
is over all pairs of all rates; "grows with the rate" compares rate 0.95 with 0.3; a difference on the second digit is
one of less than 10 points; an accuracy near random guessing is at most 20 %, twice that of guessing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vnnbench.leaderboard.papers.observations import Claim, Observation, Verdict, verdict_of
from vnnbench.leaderboard.papers.pham2025 import in_grid, with_finetuning_time
from vnnbench.leaderboard.papers.values import PHAM_RATES
from vnnbench.leaderboard.ranking.aggregates import SHORTEST_SECONDS
from vnnbench.leaderboard.ranking.surrogate_pairs import usable_pairs
from vnnbench.leaderboard.records.settings import Setting

CONCLUSIONS = {
    "I": ("Surrogates save time and solve more.", ("i", "ii")),
    "II": ("Larger rates find sooner, but less.", ("ii", "iii", "iv")),
    "III": ("Accuracy and finetuning matter little.", ("v", "vi", "vii", "viii")),
    "IV": ("Structured ones serve at low rates.", ("ix", "x", "xi")),
    "V": ("What is pruned matters, and the size.", ("xii", "xiii")),
}
"""The conclusions in our words, each with the observations that the paper draws it from."""
_NEAR_GUESSING = 0.2
_SECOND_DIGIT = 0.1
_LEAST, _PEAK, _MOST = PHAM_RATES[0], 0.9, PHAM_RATES[-1]
_HIGH = (0.8, _PEAK)
_GROWS = f"more so at {_MOST:g} than at {_LEAST:g}"
_KIND = ["pruning", "structure", "rate", "finetuned"]
_RUN = ["seed", "permutation", "dense_cpu"]
_PROBLEM = ["image", "problem", "dense_network", *_RUN]
_NETWORK = ["dataset", "network_seed", "input_side", "depth", "width", *_RUN]
_WORDS = {"not finetuned": 0, "finetuned": 1}


@dataclass(frozen=True, slots=True)
class Observed:
    """The observations of one setting and formulation, in the paper's order."""

    setting: Setting
    formulation: str
    observations: tuple[Observation, ...]

    @property
    def conclusions(self) -> dict[str, Verdict]:
        """The verdict on each of `CONCLUSIONS`."""
        verdicts = {one.number: one.verdict for one in self.observations}
        return {number: verdict_of(those, verdicts) for number, (_, those) in CONCLUSIONS.items()}


def observe(pairs: pd.DataFrame, settings: Sequence[Setting]) -> tuple[Observed, ...]:
    """Return the observations of each setting and formulation with a pair of `pairs_of` in the paper's grid."""
    if pairs.empty:
        return ()
    pairs = usable_pairs(pairs)
    pairs = _measured(pairs[in_grid(pairs)])
    return tuple(
        Observed(settings[int(str(setting))], str(formulation), tuple(_observations(own)))
        for (setting, formulation), own in pairs.groupby(["setting", "formulation"], sort=True)
    )


def _measured(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs with what the claims are about, as numbers."""
    dense, surrogate = (pairs[f"{side}_seconds"].astype(float) for side in ("dense", "surrogate"))
    found = {side: pairs[f"{side}_found"].astype(bool) for side in ("dense", "surrogate")}
    ratio = dense.clip(lower=SHORTEST_SECONDS) / surrogate.clip(lower=SHORTEST_SECONDS)
    return pairs.assign(
        sooner=(surrogate < dense).astype(float),
        mostly_sooner=(surrogate < dense) - 0.5,
        mostly_found=found["surrogate"] - 0.5,
        missed=(~found["surrogate"]).astype(float),
        missed_less=found["surrogate"].astype(float) - found["dense"].astype(float),
        log_ratio=np.log(ratio.where(found["dense"] & found["surrogate"])),
    )


def _observations(pairs: pd.DataFrame) -> Iterator[Observation]:
    magnitude = _at(pairs, pruning="magnitude")
    unstructured = _at(magnitude, structure="unstructured")
    yield from _on_rates(unstructured)
    yield from _on_finetuning(unstructured)
    yield from _on_structure(magnitude)
    yield from _on_choices(_at(pairs, finetuned=0))


def _on_rates(unstructured: pd.DataFrame) -> Iterator[Observation]:
    """Yield i to v: surrogates beside the dense network, by rate."""
    parts = {word: _at(unstructured, finetuned=number) for word, number in _WORDS.items()}

    def at(rate: float, value: str, text: str) -> list[Claim]:
        return [
            _claim(_of(_at(own, rate=rate), value), f"{text}: rate {rate:g}, {word}") for word, own in parts.items()
        ]

    def between(value: str, more: float, less: float, text: str, *, is_factor: bool = False) -> list[Claim]:
        return [
            _claim(_change(_of(own, value), "rate", more, less), f"{text}, {word}", is_factor=is_factor)
            for word, own in parts.items()
        ]

    yield Observation(
        "i",
        "Surrogates are sooner on most problems.",
        tuple(claim for rate in PHAM_RATES for claim in at(rate, "mostly_sooner", "sooner on more than half")),
    )
    yield Observation(
        "ii",
        f"At rate {_LEAST:g} more are found in time.",
        tuple(at(_LEAST, "missed_less", "fewer at the limit")),
    )
    yield Observation(
        "iii",
        f"The most are sooner at rate {_PEAK:g}.",
        (
            *between("sooner", _PEAK, _LEAST, f"more often sooner at {_PEAK:g} than at {_LEAST:g}"),
            *between("sooner", _PEAK, _MOST, f"more often sooner at {_PEAK:g} than at {_MOST:g}"),
        ),
    )
    yield Observation(
        "iv",
        "Larger rates save more, but find less.",
        (
            *between("log_ratio", _MOST, _LEAST, f"dense / surrogate time, {_MOST:g} / {_LEAST:g}", is_factor=True),
            *between("missed", _MOST, _LEAST, f"more at the limit at {_MOST:g} than at {_LEAST:g}"),
        ),
    )
    own = parts["not finetuned"]
    guessing = _of(own[own["accuracy"] <= _NEAR_GUESSING], "mostly_found")
    text = f"found on more than half, accuracy at most {_NEAR_GUESSING:.0%}"
    yield Observation("v", "Near random guessing they still serve.", (_claim(guessing, text),))


def _on_finetuning(unstructured: pd.DataFrame) -> Iterator[Observation]:
    """Yield vi to viii: finetuned beside not finetuned."""
    change = _change(_of(unstructured, "sooner"), "finetuned", 1, 0)
    low = [("mnist", rate) for rate in PHAM_RATES[:1]] + [("fashion-mnist", rate) for rate in PHAM_RATES[:3]]
    yield Observation(
        "vi",
        "At low rates, finetuning does not help.",
        tuple(
            _claim(_scaled(_at(change, dataset=dataset, rate=rate), -1), f"less often sooner: {dataset}, rate {rate:g}")
            for dataset, rate in low
        ),
    )
    points = f"{_SECOND_DIGIT * 100:.0f} points"
    yield Observation(
        "vii",
        f"At {_HIGH[0]:g} and {_HIGH[1]:g} it changes little.",
        tuple(
            _claim(_scaled(_at(change, rate=rate), sign, _SECOND_DIGIT), f"less than {points} {way}: rate {rate:g}")
            for rate in _HIGH
            for way, sign in (("fewer", 1), ("more", -1))
        ),
    )
    timed = with_finetuning_time(_at(unstructured, finetuned=1))
    timed = timed.assign(value=(timed["dense_seconds"] < timed["surrogate_seconds"]) - 0.5)
    yield Observation(
        "viii",
        "The time of finetuning is not won back.",
        (_claim(timed, "the dense network sooner on more than half"),),
    )


def _on_structure(magnitude: pd.DataFrame) -> Iterator[Observation]:
    """Yield ix to xi: structured beside unstructured pruning."""
    plain = _at(magnitude, finetuned=0)
    sooner, missed = (
        _change(_of(plain, name), "structure", "structured", "unstructured") for name in ("sooner", "missed")
    )
    yield Observation(
        "ix",
        "Structured is the better up to rate 0.5.",
        tuple(_claim(_at(sooner, rate=rate), f"more often sooner: rate {rate:g}") for rate in PHAM_RATES[:2]),
    )
    yield Observation(
        "x",
        "Structured ones find less in time.",
        tuple(_claim(_at(missed, rate=rate), f"more at the limit: rate {rate:g}") for rate in PHAM_RATES),
    )
    change = _change(_of(magnitude, "sooner"), "finetuned", 1, 0)
    helps, harms = _at(change, structure="unstructured"), _scaled(_at(change, structure="structured"), -1)
    yield Observation(
        "xi",
        "Finetuning helps unstructured ones only.",
        (
            _claim(helps, "unstructured: finetuned more often sooner"),
            _claim(_change(helps, "rate", _MOST, _LEAST), f"unstructured: {_GROWS}"),
            _claim(harms, "structured: finetuned less often sooner"),
            _claim(_change(harms, "rate", _MOST, _LEAST), f"structured: {_GROWS}"),
        ),
    )


def _on_choices(plain: pd.DataFrame) -> Iterator[Observation]:
    """Yield xii and xiii: magnitude beside random pruning, and sizes of networks. plain: not finetuned."""
    sooner = _of(plain, "sooner")
    better = _change(_at(sooner, structure="unstructured"), "pruning", "magnitude", "random")
    yield Observation(
        "xii",
        "Magnitude beats random pruning.",
        (
            _claim(better, "magnitude more often sooner"),
            _claim(_change(better, "rate", _MOST, _LEAST), _GROWS),
        ),
    )
    sooner = _at(sooner, pruning="magnitude")
    yield Observation(
        "xiii",
        "Small inputs and few layers gain more.",
        (
            _claim(_change(sooner, "input_side", 18, 28), "more often sooner at 18x18 than at 28x28"),
            _claim(_change(sooner, "depth", 2, 4), "more often sooner with 2 layers than with 4"),
        ),
    )


def _of(pairs: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return the pairs with this number as `value`, without those that lack it."""
    return pairs.assign(value=pairs[value]).dropna(subset=["value"])


def _at(pairs: pd.DataFrame, **columns: object) -> pd.DataFrame:
    for name, value in columns.items():
        pairs = pairs[pairs[name] == value]
    return pairs


def _change(pairs: pd.DataFrame, column: str, more: object, less: object) -> pd.DataFrame:
    """Return the differences of `value` between matched pairs with `more` and `less` in a column, a row for each match.

    The rows keep the columns that were matched, and have the column `image`, by which they are independent.
    """
    same = [*_NETWORK, *_KIND] if column in _NETWORK else [*_PROBLEM, "dataset", *_KIND]
    same = [name for name in same if name != column and name in pairs]
    more_of, less_of = (
        _at(pairs, **{column: side}).groupby(same, as_index=False, dropna=False).agg({"value": "mean"})
        for side in (more, less)
    )
    matched = more_of.merge(less_of, on=same, suffixes=("", "_less"))
    matched["value"] -= matched["value_less"]
    if "image" not in matched:
        matched["image"] = matched["dataset"] + " seed " + matched["network_seed"].astype(str)
    return matched


def _scaled(changes: pd.DataFrame, sign: int, plus: float = 0.0) -> pd.DataFrame:
    return changes.assign(value=sign * changes["value"] + plus)


def _claim(values: pd.DataFrame, text: str, *, is_factor: bool = False) -> Claim:
    return Claim.of(text, values["value"].to_numpy(np.float64), values["image"], is_factor=is_factor)
