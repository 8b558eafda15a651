"""The command line. The only module that imports click; it turns known errors into one line and exit code 2.

Exit codes: 0 done; 1 done, and something was found wrong; 2 bad usage or bad input; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bench.errors import BenchError
from bench.plan import Goal, Retry, RunLimits, parse_setting, plan_runs
from instances.bounds import DEFAULT_BOUNDS, BoundLevel
from instances.errors import InputError
from instances.suite import Formulation
from leaderboard.papers import Paper
from leaderboard.plain_text import plain
from leaderboard.records import LedgerError
from solvers.base import ATTACK, SolverError
from solvers.registry import get_solver, installed_solvers, solver_names

KNOWN_ERRORS = (BenchError, InputError, LedgerError, SolverError)

FORMAT = click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", help="How to print.", show_default=True
)
SELECT = click.option(
    "--select", multiple=True, metavar="GLOB", help="Only instances whose names match; repeatable; @FILE for a list."
)
RESULTS = click.argument("results", type=click.Path(path_type=Path))
LIBRARY = click.argument("library", type=click.Path(path_type=Path))
JOBS = click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Processes at a time."
)


def main() -> None:
    """Entry point of the command `vnnbench`."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command line and return its exit code; known errors become one line on stderr."""
    if not sys.platform.startswith("linux"):
        return _fail("vnnbench runs on Linux only: it limits solvers with Linux's process groups")
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
        click.echo("Stopped. The same command goes on where it was.", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads; keep the exit silent
        return 0
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return _fail(f"{error.filename}: is too long a name for a file")
    return code if isinstance(code, int) else 0


def _fail(message: str) -> int:
    """Bad usage or bad input: one line, whatever the message holds."""
    click.echo(f"Error: {plain(' '.join(message.split()))}", err=True)
    return 2


def example(text: str) -> Callable[[Any], Any]:
    """Put an example under a command's help."""

    def decorate(command: click.Command) -> click.Command:
        command.epilog = "\b\nExample:\n" + "\n".join(f"  {line}" for line in text.splitlines())
        return command

    return decorate


class _Workflow(click.Group):
    """Lists its commands in the order in which one uses them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Workflow, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="vnnbench")
def cli() -> None:
    """Benchmark libraries of MILPs over neural networks: generate, run solvers, judge every answer, rank."""


@example("vnnbench quickstart --out /tmp/first-look")
@cli.command(short_help="The whole job on embedded digits, in a minute or two.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("vnnbench-quickstart"), show_default=True, metavar="DIR",
    help="Folder to write.",
)  # fmt: skip
def quickstart(out: Path) -> int:
    """Generate a small library of digits, run every installed solver, judge, rank. Takes about two minutes."""
    from bench.quickstart import run_quickstart

    return run_quickstart(out)


@example("vnnbench suites\nvnnbench suites quickstart")
@cli.command(short_help="The built-in suites and their grids.")
@click.argument("name", required=False)
@FORMAT
def suites(name: str | None, output: str) -> int:
    """List the built-in suites with their instance counts, or show one suite's grid."""
    from bench.inspection import show_suite, show_suites

    return show_suite(name, output) if name else show_suites(output)


@example("vnnbench generate pham2025-smoke --data ~/data --out smoke")
@cli.command(short_help="Make the library of a suite.")
@click.argument("suite")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="LIBRARY", help="Folder to write.")
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="Folder with the data set's IDX files; else OpenML."
)
@SELECT
@click.option("--networks", type=click.Path(path_type=Path), metavar="LIBRARY", help="Reuse this library's weights.")
@click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE",
    help="Which answers are planted hangs on this file, which you keep; else on the suite. For suites that plant some.",
)  # fmt: skip
@JOBS
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="What networks train on."
)
def generate(
    suite: str, out: Path, data: Path | None, select: tuple[str, ...], networks: Path | None,
    key: Path | None, jobs: int, device: str,
) -> int:  # fmt: skip
    """Generate the library of SUITE: a built-in name, or a TOML file. Goes on where it was stopped."""
    from bench.progress import ProgressBar
    from instances.generation import generate as generate_library
    from instances.library import Library
    from instances.suite_files import load_suite

    reused = Library.open(networks) if networks else None
    with ProgressBar("generate") as progress:
        library = generate_library(
            load_suite(suite),
            out,
            data_folder=data,
            select=select,
            networks_from=reused,
            jobs=jobs,
            device=device,
            progress=progress,
            key_file=key,
        )
    click.echo(f"{out}: {len(library.rows)} instances of suite {library.suite}", err=True)
    return 0


@example("vnnbench import mine --onnx mnist-net_256x2.onnx.gz \\\n    --vnnlib prop_0_0.03.vnnlib.gz")
@cli.command("import", short_help="Bring a network and a property.")
@LIBRARY
@click.option("--onnx", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The network, .onnx(.gz).")
@click.option(
    "--vnnlib", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The property, .vnnlib(.gz)."
)
@click.option("--name", metavar="NAME", help="Name of the problem; default: made of the files' names.")
@click.option(
    "--formulation", type=click.Choice([Formulation.TIGHT.value]), default=Formulation.TIGHT.value, show_default=True,
    help="How the MILP is written.", expose_value=False,
)  # fmt: skip
@click.option(
    "--bounds", type=click.Choice([level.value for level in BoundLevel]), default=DEFAULT_BOUNDS.value,
    show_default=True, help="How pre-activations are bounded, from fast to narrow.",
)  # fmt: skip
def import_files(library: Path, onnx: Path, vnnlib: Path, name: str | None, bounds: str) -> int:
    """Make an instance of an ONNX network and a VNN-LIB property, and add it to LIBRARY, new or not."""
    from bench.progress import ProgressBar
    from instances.importing import import_instance

    with ProgressBar("import") as progress:
        row, added = import_instance(library, onnx, vnnlib, name, BoundLevel(bounds), progress)
    where = f"{library}: {row.instance}"
    click.echo(f"{where}: {row.rows} rows, {row.binaries} binaries" if added else f"{where} is there already", err=True)
    return 0


@example("vnnbench check smoke\nvnnbench check smoke --solver highs --solver cbc")
@cli.command(short_help="Is a library what it says it is?")
@LIBRARY
@click.option("--solver", "solvers", multiple=True, metavar="NAME", help="Re-read in this solver only; repeatable.")
@SELECT
@FORMAT
def check(library: Path, solvers: tuple[str, ...], select: tuple[str, ...], output: str) -> int:
    """Check a library: checksums, catalogue, lifted points in exact arithmetic, re-reading in every solver."""
    from bench.inspection import check_library

    for name in solvers:
        if not get_solver(name).rereads:
            raise click.BadParameter(f"{name} has no table [rewrite], so nobody knows what it reads")
    return check_library(library, solvers or installed_solvers(), select, output)


@example("vnnbench show smoke\nvnnbench show smoke mnist-28x28-2x32-s0-l1--tight")
@cli.command(short_help="What is in a library, or in one instance.")
@LIBRARY
@click.argument("instance", required=False)
@FORMAT
def show(library: Path, instance: str | None, output: str) -> int:
    """Show what is in a library, or one instance's facts and picture."""
    from bench.inspection import show_instance, show_library

    return show_instance(library, instance, output) if instance else show_library(library, output)


@example("vnnbench solvers")
@cli.command(short_help="Versions, licences and their limits.")
@FORMAT
def solvers(output: str) -> int:
    """List the solvers: installed or not, version, licence and its size limits."""
    from bench.inspection import show_solvers

    return show_solvers(output)


def _whole_numbers(_context: click.Context, _parameter: click.Parameter, text: str) -> list[int]:
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        seeds = [-1]
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise click.BadParameter("give different whole numbers of at least 0, as in 0,1,2")
    return seeds


@example(
    "vnnbench run smoke --results results --solver highs \\\n    --solver gurobi:Presolve=0 --time-limit 60 --jobs 2"
)
@cli.command(short_help="Run solvers and judge every candidate.")
@LIBRARY
@click.option(
    "--results", type=click.Path(path_type=Path), required=True, metavar="RESULTS", help="Folder of the ledger."
)
@click.option(
    "--solver", "settings", multiple=True, required=True, metavar="NAME[:key=value,...]",
    help=f"{', '.join(solver_names())}, {ATTACK} or a TOML, with its own options, mip_gap or node_limit; repeatable.",
)  # fmt: skip
@click.option(
    "--goal",
    type=click.Choice([goal.value for goal in Goal]),
    default=Goal.DECIDE.value,
    show_default=True,
    help="find: the first confirmed counterexample; decide: that, or a bound that rules it out; optimize: optimality.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="S",
    help="Wall clock of a run in seconds, reading included.",
)
@click.option(
    "--memory-limit",
    type=click.IntRange(min=64),
    default=4096,
    show_default=True,
    metavar="MIB",
    help="Memory of all of a run's processes (proportional set size).",
)
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Threads per run."
)
@click.option("--seeds", default="0", show_default=True, callback=_whole_numbers, metavar="0,1,2", help="Solver seeds.")
@click.option(
    "--permute", type=click.IntRange(min=0), default=0, show_default=True, metavar="K",
    help="Run K permutations of each model's rows and columns too.",
)  # fmt: skip
@click.option(
    "--retry", multiple=True, type=click.Choice([reason.value for reason in Retry]),
    help="Make another attempt at runs whose newest one came to this; the earlier ones stay; repeatable.",
)  # fmt: skip
@SELECT
@JOBS
@click.option("--shard", metavar="I/N", help="Only every N-th run from the I-th on, for job arrays.")
def run(
    library: Path, results: Path, settings: tuple[str, ...], goal: str, time_limit: float, memory_limit: int,
    threads: int, seeds: list[int], permute: int, retry: tuple[str, ...], select: tuple[str, ...], jobs: int,
    shard: str | None,
) -> int:  # fmt: skip
    """Run solvers on a library and judge every candidate. What RESULTS holds is not run again, unless --retry asks."""
    from bench.harness import run_plan
    from bench.harness import shard as take_shard
    from bench.inspection import report_runs
    from bench.progress import ProgressBar
    from instances.library import Library

    opened = Library.open(library)
    limits = RunLimits(Goal(goal), time_limit, memory_limit << 20, threads)
    plan = plan_runs(opened.select(select), [parse_setting(text) for text in settings], seeds, limits, permute)
    if shard:
        plan = take_shard(plan, shard)
    with ProgressBar("run") as progress:
        run_plan(plan, opened, results, jobs, progress, {Retry(reason) for reason in retry})
    return report_runs(results, [planned.run for planned in plan])


@example("vnnbench judge smoke mnist-28x28-2x32-s0-l1--tight solution.sol")
@cli.command(short_help="Judge one solution from anywhere.")
@LIBRARY
@click.argument("instance")
@click.argument("solution", type=click.Path(path_type=Path), metavar="FILE.sol|FILE.npz")
@FORMAT
def judge(library: Path, instance: str, solution: Path, output: str) -> int:
    """Judge one solution from anywhere on the dense network: exit code 0 confirmed, 1 not."""
    from bench.inspection import judge_file

    return judge_file(library, instance, solution, output)


@example("vnnbench confirm results --library smoke")
@cli.command(short_help="Judge everything again, from files alone.")
@RESULTS
@click.option(
    "--library", type=click.Path(path_type=Path), required=True, metavar="LIBRARY", help="What the runs were on."
)
@FORMAT
def confirm(results: Path, library: Path, output: str) -> int:
    """Judge every stored candidate again, from the files alone, and report each difference."""
    from bench.inspection import confirm_results

    return confirm_results(results, library, output)


@example("vnnbench leaderboard results --by depth\nvnnbench leaderboard results --format csv > ranking.csv")
@cli.command(short_help="Rank the solver settings.")
@RESULTS
@click.option("--by", multiple=True, metavar="COLUMN", help="Group by a catalogue column; repeatable.")
@click.option("--format", "output", type=click.Choice(["table", "markdown", "csv", "json", "latex"]), default="table",
              show_default=True, help="How to print; csv and latex have the settings only.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Follow a running ledger on the terminal, until Ctrl-C.")
def leaderboard(results: Path, by: tuple[str, ...], output: str, watch: bool) -> int:
    """Rank the solver settings of RESULTS, dense against surrogate, with wrong answers in plain sight."""
    from bench.inspection import follow_leaderboard, print_leaderboard

    if not watch:
        return print_leaderboard(results, by, output)
    if output != "table":
        raise click.BadOptionUsage("watch", f"--watch: shows tables; leave out --format {output}")
    if not sys.stdout.isatty():
        raise click.BadOptionUsage("watch", "--watch: needs a terminal to draw on; leave it out to print once")
    return follow_leaderboard(results, by)


@example("vnnbench select results --size 20 --out chosen\nvnnbench run smoke --select @chosen --results set ...")
@cli.command(short_help="Choose a benchmark set.")
@RESULTS
@click.option("--size", type=click.IntRange(min=1), required=True, metavar="N", help="How many instances.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="List to write, for --select @FILE."
)
@FORMAT
def select(results: Path, size: int, out: Path, output: str) -> int:
    """Choose instances from measured runs: easy to open, evenly of every kind, no two near-copies."""
    from bench.inspection import choose_instances

    return choose_instances(results, size, out, output)


@example("vnnbench answers results > answers.solu")
@cli.command(short_help="Best known objective values, as .solu.")
@RESULTS
@click.option("--format", "output", type=click.Choice(["solu", "json"]), default="solu", show_default=True,
              help="How to print; json says whose bound makes an optimum.")  # fmt: skip
def answers(results: Path, output: str) -> int:
    """Print the best known objective value of every instance in RESULTS as a .solu file: =opt= where a verified value
    meets a bound that a solver claims and nobody refutes, =best= a verified value, =unkn= none."""
    from bench.exchange import print_answers

    return print_answers(results, output)


@example("vnnbench bundle results --out mine.zip")
@cli.command(short_help="Pack all runs into one file, to give away.")
@RESULTS
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="File to write.")
def bundle(results: Path, out: Path) -> int:
    """Pack the ledger's runs with their candidates, logs and machine facts into FILE, for `vnnbench merge`."""
    from bench.exchange import pack_results

    return pack_results(results, out)


@example("vnnbench merge results mine.zip theirs.zip --library smoke")
@cli.command(short_help="Take in the runs of others, judged again.")
@RESULTS
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--library", type=click.Path(path_type=Path), required=True, metavar="LIBRARY", help="What the runs were on."
)
def merge(results: Path, files: tuple[Path, ...], library: Path) -> int:
    """Take bundles into RESULTS, each whole or not at all, after judging every candidate again on LIBRARY. Times and
    bounds are the submitter's word: they rank within their machine only."""
    from bench.exchange import merge_bundles

    return merge_bundles(results, files, library)


@example("vnnbench report results --paper pham2025 --out report")
@cli.command(short_help="A paper's tables and figures.")
@RESULTS
@click.option(
    "--paper", type=click.Choice([paper.value for paper in Paper]), required=True, help="Whose tables and figures."
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder to write; default: RESULTS/report-PAPER."
)
def report(results: Path, paper: str, out: Path | None) -> int:
    """Make a paper's tables and figures from the runs in RESULTS: report.md, which is printed too, PNG and SVG."""
    from bench.inspection import report_paper

    return report_paper(results, paper, out)


@example("vnnbench publish results --library smoke --out site")
@cli.command(short_help="A site that anyone can look at.")
@RESULTS
@click.option(
    "--library", type=click.Path(path_type=Path), required=True, metavar="LIBRARY", help="What the runs were on."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="SITE", help="Folder to write.")
def publish(results: Path, library: Path, out: Path) -> int:
    """Write the comparison as pages that need neither server nor network. A site that is there is replaced."""
    from bench.publishing import publish as publish_site
    from instances.library import Library

    files = publish_site(results, Library.open(library), out)
    click.echo(f"{out / 'index.html'}: written, with {files - 1} more files", err=True)
    return 0


if __name__ == "__main__":
    main()
