"""The commands about libraries: `suites`, `generate`, `import`, `check`, `prove`, `verify-proof`, `show`, `export`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from vnnbench.commands.options import (
    DRY_RUN,
    ENGINE,
    ENGINE_OPTION,
    FORMAT,
    JOBS,
    LIBRARY,
    PATH,
    SELECT,
    example,
    names_or_file,
    seconds,
)
from vnnbench.common.text import plain
from vnnbench.errors import UsageError
from vnnbench.instances.bounds.levels import DEFAULT_BOUNDS, MANY_RELUS, BoundLevel
from vnnbench.instances.suites.network_suite import Formulation
from vnnbench.instances.suites.suite_toml import builtin_suites
from vnnbench.leaderboard.text import count
from vnnbench.solvers.registry import solver_names


@example("vnnbench suites\nvnnbench suites quickstart")
@click.command(short_help="List the built-in suites, or show one.")
@click.argument("name", required=False, shell_complete=names_or_file(builtin_suites))
@FORMAT
def suites(name: str | None, output: str) -> int:
    """List the built-in suites with their numbers of instances, or show what the suite NAME contains. NAME may also be
    a TOML file."""
    from vnnbench.output.libraries import show_suite, show_suites

    return show_suite(name, output) if name else show_suites(output)


@example("vnnbench generate pham2025-smoke --data ~/data --out smoke")
@click.command(short_help="Generate the library of a suite.")
@click.argument("suite", shell_complete=names_or_file(builtin_suites))
@click.option("--out", type=PATH, required=True, metavar="LIBRARY", help="Folder to write the library to.")
@click.option(
    "--data", type=PATH, metavar="DIR",
    help="Folder with the IDX files of MNIST or Fashion-MNIST, or the CSV files of a suite's tables from OpenML; "
    "default: Debian's folder of Fashion-MNIST if installed, else download from OpenML. Other data sets need no files.",
)  # fmt: skip
@SELECT
@click.option(
    "--networks", type=PATH, metavar="LIBRARY", help="Use the trained networks of this library instead of training."
)
@click.option(
    "--key", type=PATH, metavar="FILE",
    help="Secret file that selects which networks get planted answers; default: derived from the suite.",
)  # fmt: skip
@JOBS
@ENGINE
@ENGINE_OPTION
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Device to train on."
)
@DRY_RUN
def generate(
    suite: str, out: Path, data: Path | None, select: tuple[str, ...], networks: Path | None,
    key: Path | None, jobs: int, engine_name: str, engine_options: tuple[str, ...], device: str, dry_run: bool,
) -> int:  # fmt: skip
    """Generate the library of SUITE, which is the name of a built-in suite or a TOML file.

    If it is stopped, the same command continues. In a complete library it generates missing or altered files again.
    """
    from vnnbench.engines.choice import EngineChoice
    from vnnbench.instances.generation.forecast import forecast
    from vnnbench.instances.generation.generate import generate as generate_library
    from vnnbench.instances.generation.generate import work_of
    from vnnbench.instances.generation.suite_work import GenerationOptions
    from vnnbench.instances.layout import MANIFEST
    from vnnbench.instances.library.library import Library
    from vnnbench.instances.suites.suite_toml import load_suite
    from vnnbench.output.forecasts import describe_plan, print_forecast
    from vnnbench.output.progress import ProgressBar

    choice = EngineChoice.parse(engine_name, jobs, engine_options)
    place = out
    if choice.cluster is not None:  # its workers have another working folder
        place, data = out.absolute(), None if data is None else data.absolute()
    given = Library.open(networks) if networks else None
    options = GenerationOptions(data, given, key, jobs, device)
    asked = load_suite(suite)
    plan = work_of(asked, select, options).plan()
    if dry_run:
        return print_forecast(forecast(plan, out))
    mended = (out / MANIFEST).is_file()  # a complete library only gets back what is missing or altered
    with ProgressBar("generate", "" if mended else describe_plan(plan)) as progress:
        options = replace(options, elsewhere=choice.generation_workers(progress.status))
        library = generate_library(asked, place, options, select, progress)
    click.echo(f"{out}: {count(len(library.rows), 'instance')} of suite {plain(library.suite)}", err=True)
    return 0


@example(
    "vnnbench import mine --onnx mnist-net_256x2.onnx.gz \\\n    --vnnlib prop_0_0.03.vnnlib.gz\n"
    "vnnbench import acasxu --instances acasxu_2023/instances.csv"
)
@click.command("import", short_help="Add ONNX networks with VNN-LIB properties to a library.")
@LIBRARY
@click.option("--onnx", type=PATH, metavar="FILE", help="The network: .onnx or .onnx.gz.")
@click.option("--vnnlib", type=PATH, metavar="FILE", help="The property: .vnnlib or .vnnlib.gz.")
@click.option(
    "--name", metavar="NAME",
    help="Name of the problem; default: made from the file names. Also of the network, if LIBRARY has another one of "
    "its file's name.",
)  # fmt: skip
@click.option(
    "--instances", type=PATH, metavar="FILE",
    help="In place of --onnx and --vnnlib: the instances.csv of a benchmark folder of VNN-COMP. Every pair that it "
    "lists is added, with its time limit.",
)  # fmt: skip
@click.option(
    "--formulation", type=click.Choice([Formulation.TIGHT.value]), default=Formulation.TIGHT.value, show_default=True,
    help="Formulation of the MILP.", expose_value=False,
)  # fmt: skip
@click.option(
    "--bounds", type=click.Choice([level.value for level in BoundLevel]),
    help="Method that bounds the pre-activations, from loosest to tightest; default: "
    f"{DEFAULT_BOUNDS}, or {BoundLevel.BACKWARD} for a network of more than {MANY_RELUS:,} ReLUs.",
)  # fmt: skip
def import_files(
    library: Path, onnx: Path | None, vnnlib: Path | None, name: str | None, instances: Path | None, bounds: str | None
) -> int:
    """Make instances from ONNX networks and VNN-LIB properties, and add them to LIBRARY, which is created if it does
    not exist. A property of several input boxes gives an instance for each.

    An import of --instances that is stopped continues with the same command.
    """
    from vnnbench.instances.generation.import_benchmark import import_benchmark
    from vnnbench.instances.generation.import_instance import import_instance
    from vnnbench.output.imports import report_benchmark, report_instances
    from vnnbench.output.progress import ProgressBar

    level = None if bounds is None else BoundLevel(bounds)
    if instances is not None:
        for option, value in (("--onnx", onnx), ("--vnnlib", vnnlib), ("--name", name)):
            if value is not None:
                raise UsageError(f"{option}: --instances lists the files and names them; leave out {option}")
        with ProgressBar("import") as progress:
            done = import_benchmark(library, instances, level, progress)
        return report_benchmark(library, instances, done)
    if onnx is None or vnnlib is None:
        missing = "--onnx" if onnx is None else "--vnnlib"
        raise UsageError(f"{missing}: name the file, or give --instances with a list of pairs")
    with ProgressBar("import") as progress:
        rows, added = import_instance(library, onnx, vnnlib, name, level, progress)
    return report_instances(library, rows, added)


@example("vnnbench check smoke\nvnnbench check smoke --solver highs --solver cbc")
@click.command(short_help="Check that a library is intact and its models correct.")
@LIBRARY
@click.option(
    "--solver", "solvers", multiple=True, metavar="NAME", shell_complete=names_or_file(solver_names),
    help="Read the models in this solver; repeatable; default: every installed solver that can report what it read.",
)  # fmt: skip
@SELECT
@FORMAT
def check(library: Path, solvers: tuple[str, ...], select: tuple[str, ...], output: str) -> int:
    """Check a library: checksums, catalogue, points lifted into each model in exact arithmetic, whether solvers read
    each model as it is, and the proofs of its answers."""
    from vnnbench.checking import rereading_solvers
    from vnnbench.output.libraries import print_check

    return print_check(library, rereading_solvers(solvers), select, output)


@example('vnnbench prove smoke\nvnnbench prove smoke --select "*-s0-*" --time-limit 10 --jobs 2')
@click.command(short_help="Answer the problems of a library with proofs.")
@LIBRARY
@SELECT
@click.option(
    "--time-limit", type=float, callback=seconds, default=60.0, show_default=True, metavar="S",
    help="Seconds of search for each problem; what is not decided by then gets an interval.",
)  # fmt: skip
@JOBS
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
    help="Device that bounds the cases of the search.",
)  # fmt: skip
def prove(library: Path, select: tuple[str, ...], time_limit: float, jobs: int, device: str) -> int:
    """Answer the problems of LIBRARY by branch and bound, and write a proof of each answer into the library.

    Every proof is checked before it is written. If it is stopped, the same command continues; problems with a proven
    answer are left as they are, and one whose proof is missing or altered is proven again.
    """
    from vnnbench.output.proofs import print_proved

    return print_proved(library, select, time_limit, jobs, device)


@example("vnnbench verify-proof smoke/proofs/mnist-28x28-2x32-s0-l1.npz \\\n    --library smoke")
@click.command("verify-proof", short_help="Check the proof of an answer, without a solver.")
@click.argument("proof", type=PATH, metavar="FILE")
@click.option("--library", type=PATH, required=True, metavar="LIBRARY", help="Library that has the proof's problem.")
@FORMAT
def verify_proof(proof: Path, library: Path, output: str) -> int:
    """Check the proof FILE of the answer to one problem of LIBRARY, in exact arithmetic, and print what it shows.

    Nothing in FILE is believed, and no solver is called. The exit code is 0 if the proof is accepted, 1 if it is
    rejected, 2 if FILE cannot be read as a proof or is about a problem that LIBRARY does not have.
    """
    from vnnbench.output.proofs import print_proof

    return print_proof(library, proof, output)


@example(
    "vnnbench show smoke\nvnnbench show smoke --list\nvnnbench show smoke mnist-28x28-2x32-s0-l1--tight\n"
    "vnnbench show results 3fe49523a1d1ddcf"
)
@click.command(short_help="Show a library, an instance or a run.")
@click.argument("folder", type=PATH, metavar="LIBRARY|RESULTS")
@click.argument("name", required=False, metavar="[INSTANCE|RUN]")
@click.option("--list", "names_only", is_flag=True, help="Print the names of all instances, one per line.")
@FORMAT
def show(folder: Path, name: str | None, names_only: bool, output: str) -> int:
    """Show the contents of a library, the facts and the picture of one instance, the runs of RESULTS in short, or one
    run with its evidence and log."""
    from vnnbench.ledger.writer import LEDGER_NAME
    from vnnbench.output.libraries import list_instances, show_instance, show_library
    from vnnbench.output.stored_runs import list_runs, show_run

    if names_only and name:
        raise UsageError(f"--list prints the names of all instances; leave out {plain(name[:40])}")
    if (folder / LEDGER_NAME).is_file():
        return show_run(folder, name, output) if name else list_runs(folder, output)
    if names_only:
        return list_instances(folder, output)
    return show_instance(folder, name, output) if name else show_library(folder, output)


@example('vnnbench export smoke --out verifiers\nvnnbench export smoke --out verifiers --select "*-s0-*"')
@click.command(short_help="Write the problems of a library for neural network verifiers.")
@LIBRARY
@click.option(
    "--out", type=PATH, required=True, metavar="FOLDER", help="Folder to write; an earlier export there is replaced."
)
@SELECT
def export(library: Path, out: Path, select: tuple[str, ...]) -> int:
    """Write the problems of LIBRARY as ONNX and VNN-LIB files with the list that the scripts of VNN-COMP read.

    FOLDER/1.0 has what VNN-LIB 1.0 says exactly. FOLDER/2.0 has strict goals too, and problems over L1 balls, by
    networks on steps from the centre.
    """
    from vnnbench.output.libraries import export_library

    return export_library(library, out, select)
