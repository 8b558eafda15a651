"""Arguments and options that several commands share, and the example below each command's help."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from vnnbench.common.numbers import MAX_SECONDS

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def names_or_file(names: Callable[[], Iterable[str]]) -> Completer:
    """Return what completes a word in a shell: these names, or the path of a file."""

    def complete(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        file = CompletionItem(begun, type="file")  # first: bash forgets what stands before it
        return [file, *(CompletionItem(name) for name in names() if name.startswith(begun))]

    return complete


class _GivenPath(click.Path):
    """A path that is not empty: an unset variable of the shell would otherwise mean the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it is empty; name a file or a folder", param, ctx)
        return super().convert(value, param, ctx)


PATH = _GivenPath(path_type=Path)

FORMAT = click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="Output format.",
)  # fmt: skip
SELECT = click.option(
    "--select", multiple=True, metavar="GLOB",
    help="Only instances whose names match; repeatable; @FILE reads names from FILE.",
)  # fmt: skip
RESULTS = click.argument("results", type=PATH)
LIBRARY = click.argument("library", type=PATH)
RUN_ON = click.option(
    "--library", "libraries", type=PATH, multiple=True, required=True, metavar="LIBRARY",
    help="Library that the runs were made on; repeatable.",
)  # fmt: skip
MAX_AT_A_TIME = 1024
"""The largest number of parallel processes: more than the cores of a machine."""
JOBS = click.option(
    "--jobs", type=click.IntRange(min=1, max=MAX_AT_A_TIME), default=1, show_default=True, metavar="N",
    help="Number of parallel processes.",
)  # fmt: skip


ENGINE = click.option(
    "--engine", "engine_name", type=click.Choice(["local", "parsl"]), default="local", show_default=True,
    help="What does the work: this machine, or the jobs of a cluster's scheduler.",
)  # fmt: skip
ENGINE_OPTION = click.option(
    "--engine-option", "engine_options", multiple=True, metavar="KEY=VALUE",
    help="Option of --engine parsl, such as provider=slurm, walltime=04:00:00, blocks=10, workers_per_node=32, "
    "partition=NAME; repeatable; see bench/README.md.",
)  # fmt: skip


def seconds(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    """Refuse what is not a time that timers accept."""
    if value is not None and not 0 < value <= MAX_SECONDS:  # click's own range would accept NaN
        raise click.BadParameter(f"give a number above 0 and at most {MAX_SECONDS}")
    return value


DRY_RUN = click.option("--dry-run", is_flag=True, help="Only print how much work there is and how long it may take.")


def example(text: str) -> Callable[[Any], Any]:
    """Return a decorator that puts an example below a command's help."""

    def decorate(command: click.Command) -> click.Command:
        command.epilog = "\b\nExample:\n" + "\n".join(f"  {line}" for line in text.splitlines())
        return command

    return decorate
