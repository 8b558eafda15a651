"""The command line: all commands, in the order in which they are used, and their exit codes.

Exit codes: 0 done; 1 done, and something was found wrong; 2 bad usage or bad input, which is one line on stderr;
130 stopped by Ctrl-C.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import click

from vnnbench.commands import libraries, results, runs
from vnnbench.commands.options import PATH, example
from vnnbench.common.text import plain
from vnnbench.errors import BenchError
from vnnbench.instances.errors import InputError
from vnnbench.leaderboard.words import LedgerError
from vnnbench.solvers.base import SolverError

KNOWN_ERRORS = (BenchError, InputError, LedgerError, SolverError)
GO_ON = ("quickstart", "generate", "prove", "run")
"""Commands that continue after they were stopped: they leave out what is done. So does `import --instances`."""


def main() -> None:
    """Run the command line of this process and exit with its exit code: the entry point of the command `vnnbench`."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command line and return its exit code. Known errors become one line on stderr."""
    if not sys.platform.startswith("linux"):
        return _fail("vnnbench runs on Linux only, because it limits solvers with Linux's process groups")
    try:
        code = cli.main(arguments, prog_name="vnnbench", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return _fail(error.format_message())
    except KNOWN_ERRORS as error:
        return _fail(str(error))
    except (KeyboardInterrupt, click.Abort):
        goes_on = arguments[0] in GO_ON or any(word.startswith("--instances") for word in arguments)
        again = "continues from here" if goes_on else "starts from the beginning"
        click.echo(f"Stopped. The same command {again}.", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone; keep the exit silent
        return 0
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return _fail(f"{error.filename}: this file name is too long; use a shorter one")
    return code if isinstance(code, int) else 0


def _fail(message: str) -> int:
    """Print an error as one line on stderr, whatever the message contains; return the exit code of bad input."""
    click.echo(f"Error: {plain(' '.join(message.split()))}", err=True)
    return 2


class _Workflow(click.Group):
    """A group that lists its commands in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Workflow, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="vnnbench")
def cli() -> None:
    """Benchmark MILP solvers on problems over neural networks: generate a library, run solvers on it, judge every
    answer exactly, rank the solvers."""


@example("vnnbench quickstart --out /tmp/first-look")
@cli.command(short_help="Try everything on small digit images, in about two minutes.")
@click.option(
    "--out", type=PATH, default=Path("vnnbench-quickstart"), show_default=True, metavar="DIR",
    help="Folder to write.",
)  # fmt: skip
def quickstart(out: Path) -> int:
    """Generate a small library of digit images, run every installed solver on it, judge, rank and publish. Takes about
    two minutes. If it is stopped, the same command continues."""
    from vnnbench.quickstart import run_quickstart

    return run_quickstart(out)


for command in (
    *(
        libraries.suites,
        libraries.generate,
        libraries.import_files,
        libraries.check,
        libraries.prove,
        libraries.verify_proof,
    ),
    *(libraries.show, libraries.export),
    *(runs.solvers, runs.run, runs.judge, runs.confirm),
    *(results.leaderboard, results.runs, results.select, results.answers, results.bundle, results.merge),
    *(results.report, results.publish),
):
    cli.add_command(command)
