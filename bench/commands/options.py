"""What several commands have: arguments, options, an example under their help."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def names_or_file(names: Callable[[], Iterable[str]]) -> Completer:
    """Return what completes a word in a shell: these names, or the path of a file."""

    def complete(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        file = CompletionItem(begun, type="file")  # first: bash forgets what stands before it
        return [file, *(CompletionItem(name) for name in names() if name.startswith(begun))]

    return complete


class _GivenPath(click.Path):
    """No empty path: that of a shell's unset variable would be the folder one stands in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it is empty; name a file or a folder", param, ctx)
        return super().convert(value, param, ctx)


PATH = _GivenPath(path_type=Path)

FORMAT = click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", help="How to print.", show_default=True
)
SELECT = click.option(
    "--select", multiple=True, metavar="GLOB", help="Only instances whose names match; repeatable; @FILE for a list."
)
RESULTS = click.argument("results", type=PATH)
LIBRARY = click.argument("library", type=PATH)
RUN_ON = click.option(
    "--library", "libraries", type=PATH, multiple=True, required=True, metavar="LIBRARY",
    help="What the runs were on; repeatable.",
)  # fmt: skip
MAX_AT_A_TIME = 1024
"""Of processes: more than a machine has."""
JOBS = click.option(
    "--jobs", type=click.IntRange(min=1, max=MAX_AT_A_TIME), default=1, show_default=True, metavar="N",
    help="Processes at a time.",
)  # fmt: skip

DRY_RUN = click.option("--dry-run", is_flag=True, help="Print how much work it is and how long it takes; do nothing.")


def example(text: str) -> Callable[[Any], Any]:
    """Put an example under a command's help."""

    def decorate(command: click.Command) -> click.Command:
        command.epilog = "\b\nExample:\n" + "\n".join(f"  {line}" for line in text.splitlines())
        return command

    return decorate
