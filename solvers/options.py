"""Checks of a solver's own options, which are given as text: typed values, or an error in one line."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping

from vnnbench.solvers.base import OptionError, OptionValue

#: What to use in place of the solver's own option, where something means the same with every solver.
TIME_LIMIT = "use --time-limit"
THREADS = "use --threads"
SEED = "use --seeds"
MIP_GAP = "use the option mip_gap"
NODE_LIMIT = "use the option node_limit"
HARNESS = "vnnbench sets it"

_TRUTH = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}


def typed_options(
    solver: str,
    options: Mapping[str, str],
    *,
    names: Collection[str],
    owned: Mapping[str, str],
    kind: Callable[[str], type],
    refusal: Callable[[str, OptionValue], str | None],
) -> dict[str, OptionValue]:
    """Return typed values of a solver's own options.

    names: all options the solver has. owned: those that vnnbench sets itself, and what to use instead.
    kind: an option's type (bool, int, float or str). refusal: why the solver refuses a value, None if it takes it.

    Raises `OptionError`, one line that names solver and option.
    """
    typed: dict[str, OptionValue] = {}
    for name, text in options.items():
        if name in owned:
            raise OptionError(f"{solver}: option {name} cannot be set here: {owned[name]}")
        if name not in names:
            raise OptionError(f"{solver}: no option {name!r}{_suggestion(name, names)}")
        value = _parse(solver, name, text, kind(name))
        reason = refusal(name, value)
        if reason is not None:
            raise OptionError(f"{solver}: the option {name} does not take {text!r}: {reason}")
        typed[name] = value
    return typed


def _parse(solver: str, name: str, text: str, kind: type) -> OptionValue:
    expected = {bool: "true or false", int: "a whole number", float: "a number"}
    try:
        if kind is bool:
            return _TRUTH[text.strip().lower()]
        if kind is int:
            return int(text)
        if kind is float:
            number = float(text)
            if math.isnan(number):
                raise ValueError(text)
            return number
    except (KeyError, ValueError):
        raise OptionError(f"{solver}: the option {name} takes {expected[kind]}, not {text!r}") from None
    return text


def _suggestion(name: str, names: Collection[str]) -> str:
    """Suggest names that are close, whatever their letter case: vendors differ in it."""
    by_lower_case = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), by_lower_case, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(by_lower_case[match] for match in close)}?" if close else ""
