"""The reader of suites as TOML files, with strict checks: an error is one line that says which value would be right."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from vnnbench.common.toml_table import MAX_TOML_BYTES, Table, one_line, one_of, parse_toml
from vnnbench.instances.errors import SuiteError
from vnnbench.instances.files import read_plain
from vnnbench.instances.limits import MAX_INSTANCES
from vnnbench.instances.step_networks.train_property import TrainProperty
from vnnbench.instances.suites.network_suite import Family
from vnnbench.instances.suites.network_suite_toml import maximize_suite, verify_suite
from vnnbench.instances.suites.suite import Suite
from vnnbench.instances.suites.train_suite_toml import OWN_KEYS, train_suite

_READERS: dict[str, Callable[[Table, str, str], Suite]] = {
    Family.VERIFY: verify_suite,
    Family.MAXIMIZE: maximize_suite,
    TrainProperty.family: train_suite,
}
"""The reader of a suite's table by its family; it takes the table, name and description."""


def builtin_suites() -> tuple[str, ...]:
    """Return the names of the built-in suites, sorted."""
    files = resources.files("vnnbench.instances.suites").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def load_suite(name_or_path: str | Path) -> Suite:
    """Return a built-in suite by name, or a suite from a .toml file.

    Raises SuiteError: one line that names the file and the key, the wrong value, and which values are right.
    """
    text = str(name_or_path)
    if text.endswith(".toml"):
        data = read_plain(Path(text), MAX_TOML_BYTES, lambda message: SuiteError(f"{message}; name a suite file"))
        try:
            return parse_suite(data.decode("utf-8"), text)
        except UnicodeDecodeError as error:
            raise SuiteError(f"{text}: cannot be read (it is not UTF-8 text); name a suite file") from error
    if text not in builtin_suites():
        close = get_close_matches(text, builtin_suites(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(builtin_suites())}."
        raise SuiteError(f"unknown suite {text!r}; {hint} A suite of your own is a file that ends in .toml")
    return parse_suite(
        (resources.files("vnnbench.instances.suites") / f"{text}.toml").read_text(encoding="utf-8"), text
    )


def parse_suite(text: str, source: str) -> Suite:
    """Return the suite of a TOML text; `source` names it in errors. Raises SuiteError."""
    table = parse_toml(text, source, SuiteError)
    _check_family(table)
    family = table.take("family", one_of(_READERS), f"one of {', '.join(_READERS)}", Family.VERIFY.value)
    name = table.take("name", _name, "a name of a-z, 0-9 and -")
    description = table.take("description", one_line, "one line of text", "")
    suite = _READERS[family](table, name, description)
    table.finish()
    if suite.n_instances > MAX_INSTANCES:
        raise SuiteError(f"{source}: has {suite.n_instances} instances; a suite has at most {MAX_INSTANCES}")
    return suite


def _check_family(table: Table) -> None:
    """Check that the family is given where a key belongs to another than the default. Raises SuiteError."""
    own = next((key for key in OWN_KEYS if key in table.values), None)
    if own is not None and "family" not in table.values:
        family = TrainProperty.family
        raise SuiteError(f'{table.source}: key family is missing; a suite with {own} needs family = "{family}"')


def _name(value: Any) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one_line(value)) or len(value) > 60:
        raise ValueError
    return str(value)
