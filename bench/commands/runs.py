"""The commands about runs: list the solvers, run them, judge what they found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from vnnbench.commands.options import (
    DRY_RUN,
    ENGINE,
    ENGINE_OPTION,
    FORMAT,
    JOBS,
    LIBRARY,
    PATH,
    RESULTS,
    RUN_ON,
    SELECT,
    example,
    names_or_file,
    seconds,
)
from vnnbench.errors import UsageError
from vnnbench.leaderboard.ranges import (
    DEFAULT_SECONDS,
    MAX_MEBIBYTES,
    MAX_PERMUTATIONS,
    MAX_SEED,
    MAX_THREADS,
    MIN_MEBIBYTES,
)
from vnnbench.ledger.run_identity import Retry, StopGoal
from vnnbench.references.adapters import adapter_names
from vnnbench.runs.plan import RunLimits, check_seeds, parse_setting, plan_runs

_OF_SETTINGS = ("goal", "time_limit", "memory_limit", "threads", "seeds", "permute", "shard")
"""Parameters of `run` that apply only to the settings that `--solver` names."""


@example("vnnbench solvers")
@click.command(short_help="List the solvers with their versions and licences.")
@FORMAT
def solvers(output: str) -> int:
    """List the solvers, and the references beside them: whether each is installed, its version, its licence and the
    size limits of the licence."""
    from vnnbench.output.libraries import show_solvers

    return show_solvers(output)


def _whole_numbers(_context: click.Context, _parameter: click.Parameter, text: str) -> list[int]:
    try:
        seeds = [int(part) for part in text.split(",")]
        check_seeds(seeds)
    except (ValueError, UsageError):
        raise click.BadParameter(f"give different whole numbers from 0 to {MAX_SEED}, as in 0,1,2") from None
    return seeds


@example(
    "vnnbench run smoke --results results --solver highs \\\n    --solver gurobi:Presolve=0 --time-limit 60 --jobs 2\n"
    "vnnbench run smoke --results results --retry disturbed"
)
@click.command(short_help="Run solvers on a library and judge every answer.")
@LIBRARY
@click.option("--results", type=PATH, required=True, metavar="RESULTS", help="Folder of the results, new or not.")
@click.option(
    "--solver", "settings", multiple=True, metavar="NAME[:key=value,...]",
    help=f"{', '.join(adapter_names())}, or a TOML file that describes a solver; with options of the solver's own, "
    "mip_gap or node_limit; repeatable. Required without --retry.",
    shell_complete=names_or_file(adapter_names),
)  # fmt: skip
@click.option(
    "--goal",
    type=click.Choice([goal.value for goal in StopGoal]),
    default=StopGoal.DECIDE.value,
    show_default=True,
    help="When a run stops. find: at the first confirmed counterexample; decide: also when a dense network's bound "
    "rules one out; optimize: at optimality.",
)
@click.option(
    "--time-limit",
    type=float,
    callback=seconds,
    metavar="S",
    help="Wall-clock limit of a run in seconds; reading the model counts. Default: the instance's own limit, if it was "
    f"imported with one, else {DEFAULT_SECONDS:g}.",
)
@click.option(
    "--memory-limit",
    type=click.IntRange(min=MIN_MEBIBYTES, max=MAX_MEBIBYTES),
    default=4096,
    show_default=True,
    metavar="MIB",
    help="Memory limit of a run: the proportional set size of all its processes.",
)
@click.option(
    "--threads", type=click.IntRange(min=1, max=MAX_THREADS), default=1, show_default=True, metavar="N",
    help="Threads per run.",
)  # fmt: skip
@click.option(
    "--seeds", default="0", show_default=True, callback=_whole_numbers, metavar="0,1,2",
    help="Random seeds of the solvers, one run each.",
)  # fmt: skip
@click.option(
    "--permute", type=click.IntRange(min=0, max=MAX_PERMUTATIONS), default=0, show_default=True, metavar="K",
    help="Also run K permutations of each model's rows and columns; not for references, which read no model.",
)  # fmt: skip
@click.option(
    "--retry", multiple=True, type=click.Choice([reason.value for reason in Retry]),
    help="Make another attempt at runs whose newest attempt ended this way; earlier attempts are kept; repeatable. "
    "Without --solver: at all such runs in RESULTS, each with its own setting.",
)  # fmt: skip
@SELECT
@JOBS
@ENGINE
@ENGINE_OPTION
@click.option("--shard", metavar="I/N", help="Do only the I-th of N parts, for job arrays.")
@DRY_RUN
@click.pass_context
def run(
    context: click.Context, library: Path, results: Path, settings: tuple[str, ...], goal: str,
    time_limit: float | None, memory_limit: int, threads: int, seeds: list[int], permute: int, retry: tuple[str, ...],
    select: tuple[str, ...], jobs: int, engine_name: str, engine_options: tuple[str, ...], shard: str | None,
    dry_run: bool,
) -> int:  # fmt: skip
    """Run solvers on a library and judge every candidate that they send. Runs that are in RESULTS already are left
    out, except with --retry."""
    from vnnbench.engines.choice import EngineChoice
    from vnnbench.harness import run_plan_on
    from vnnbench.instances.library.library import Library
    from vnnbench.output.forecasts import print_run_forecast
    from vnnbench.output.progress import ProgressBar
    from vnnbench.output.run_outcomes import report_again, report_other_limits, report_runs
    from vnnbench.runs.forecast import forecast_runs
    from vnnbench.runs.plan import shard as take_shard
    from vnnbench.runs.retry import plan_again, require_known

    if not settings:
        _refuse_what_a_setting_needs(context, retry)
    choice = EngineChoice.parse(engine_name, jobs, engine_options)
    opened = Library.open(library)
    rows = opened.select(select)
    reasons = frozenset(map(Retry, retry))
    if settings:
        limits = RunLimits(StopGoal(goal), time_limit or DEFAULT_SECONDS, memory_limit << 20, threads)
        asked, orders = [parse_setting(text) for text in settings], range(permute + 1)
        plan = plan_runs(rows, asked, seeds, limits, orders, own_limits=time_limit is None)
        require_known(plan, results, reasons)
        if time_limit is None:
            report_other_limits(results, library, rows)
    else:
        again = plan_again(results, opened, rows, reasons, choice.cpu)
        report_again(results, again)
        if not again.plan:
            return 0
        plan = again.plan
    if shard:
        plan = take_shard(plan, shard)
    if dry_run:
        return print_run_forecast(forecast_runs(plan, results, choice.at_a_time, reasons), choice.at_a_time)
    with ProgressBar("run") as progress:
        run_plan_on(choice.engine(opened, results, progress), plan, opened, results, progress, reasons)
    names = [planned.run for planned in plan]
    return report_runs(results, names, library, again=Retry.DISTURBED in reasons, engine=choice.words)


def _refuse_what_a_setting_needs(context: click.Context, retry: Sequence[str]) -> None:
    """Raise `UsageError` when a run without `--solver` has no `--retry`, or has an option that would be ignored."""
    if not retry:
        raise UsageError("--solver: name a solver, as in --solver highs; only --retry works without")
    for parameter in context.command.params:
        given = context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
        if given and parameter.name in _OF_SETTINGS:
            option = parameter.opts[0]
            raise UsageError(f"{option}: --retry without --solver repeats each run as it was; leave out {option}")


@example("vnnbench judge smoke mnist-28x28-2x32-s0-l1--tight solution.sol")
@click.command(short_help="Judge a solution file from any source.")
@LIBRARY
@click.argument("instance")
@click.argument("solution", type=PATH, metavar="FILE.sol|FILE.npz")
@FORMAT
def judge(library: Path, instance: str, solution: Path, output: str) -> int:
    """Judge a solution of INSTANCE from any source on the dense network, in exact arithmetic. The exit code is 0 if it
    is confirmed, else 1.

    The file is a solution in the layout of any solver, a counterexample in the format of VNN-COMP, or .npz with
    candidates.
    """
    from vnnbench.output.judgements import judge_file

    return judge_file(library, instance, solution, output)


@example("vnnbench confirm results --library smoke")
@click.command(short_help="Judge all stored candidates again.")
@RESULTS
@RUN_ON
@FORMAT
def confirm(results: Path, libraries: tuple[Path, ...], output: str) -> int:
    """Judge every stored candidate of RESULTS again, from the files alone, and print each difference from what is
    stored."""
    from vnnbench.output.judgements import confirm_results

    return confirm_results(results, libraries, output)
