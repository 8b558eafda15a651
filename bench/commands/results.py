"""The commands about results: rank and export runs, choose a benchmark set, share bundles, report and publish."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from vnnbench.commands.options import FORMAT, PATH, RESULTS, RUN_ON, example
from vnnbench.leaderboard.words import Paper


@example("vnnbench leaderboard results --by depth\nvnnbench leaderboard results --format csv > ranking.csv")
@click.command(short_help="Rank the solver settings.")
@RESULTS
@click.option("--by", multiple=True, metavar="COLUMN", help="Group by this column of the catalogue; repeatable.")
@click.option("--format", "output", type=click.Choice(["table", "markdown", "csv", "json", "latex"]), default="table",
              show_default=True, help="Output format; csv and latex contain the settings only.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Draw the table again whenever the ledger changes, until Ctrl-C.")
def leaderboard(results: Path, by: tuple[str, ...], output: str, watch: bool) -> int:
    """Rank the solver settings of RESULTS, and compare surrogates with their dense networks.

    Each goal on each type of CPU is ranked by itself. A setting with a wrong answer has no rank and is listed below the
    others.
    """
    from vnnbench.output.rankings import follow_leaderboard, print_leaderboard

    if not watch:
        return print_leaderboard(results, by, output)
    if output != "table":
        raise click.BadOptionUsage("watch", f"--watch draws tables; leave out --format {output}")
    if not sys.stdout.isatty():
        raise click.BadOptionUsage("watch", "--watch needs a terminal; leave it out to print once")
    return follow_leaderboard(results, by)


@example("vnnbench runs results > runs.csv\nvnnbench runs results --format parquet --out runs.parquet")
@click.command(short_help="Export every run as CSV, JSON or Parquet.")
@RESULTS
@click.option("--format", "form", type=click.Choice(["csv", "json", "parquet"]), default="csv", show_default=True,
              help="Output format; parquet needs pyarrow and --out.")  # fmt: skip
@click.option("--out", type=PATH, metavar="FILE", help="File to write; default: standard output.")
def runs(results: Path, form: str, out: Path | None) -> int:
    """Write every run of RESULTS for other programs: one row each, with every field and the facts of its instance."""
    from vnnbench.output.stored_runs import Export, export_runs

    return export_runs(results, Export(form), out)


@example("vnnbench select results --size 20 --out chosen\nvnnbench run smoke --select @chosen --results set ...")
@click.command(short_help="Choose a benchmark set from measured runs.")
@RESULTS
@click.option("--size", type=click.IntRange(min=1), required=True, metavar="N", help="Number of instances to choose.")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="List to write; use it as --select @FILE.")
@FORMAT
def select(results: Path, size: int, out: Path, output: str) -> int:
    """Choose N instances for a benchmark set from the runs in RESULTS: evenly from easy to open and from every kind,
    with no two near-copies."""
    from vnnbench.output.rankings import choose_instances

    return choose_instances(results, size, out, output)


@example("vnnbench answers results > answers.solu")
@click.command(short_help="Print the best known objective values as a .solu file.")
@RESULTS
@click.option("--format", "output", type=click.Choice(["solu", "json"]), default="solu", show_default=True,
              help="Output format; json also names the solvers that claim the bounds.")  # fmt: skip
def answers(results: Path, output: str) -> int:
    """Print the best known objective value of every instance in RESULTS in MIPLIB's .solu format.

    \b
    =opt=   a verified value that meets a bound, which is proven,
            or claimed by a solver and not refuted
    =best=  a verified value
    =inf=   a proof that there is no value
    =unkn=  no verified value
    """
    from vnnbench.output.sharing import print_answers

    return print_answers(results, output)


@example("vnnbench bundle results --out mine.zip")
@click.command(short_help="Pack all runs into one file to share.")
@RESULTS
@click.option("--out", type=PATH, required=True, metavar="FILE", help="File to write.")
def bundle(results: Path, out: Path) -> int:
    """Pack all runs of RESULTS with their candidates, logs and machine facts into FILE, a zip that `vnnbench merge`
    adds to other results."""
    from vnnbench.output.sharing import pack_results

    return pack_results(results, out)


@example("vnnbench merge results mine.zip theirs.zip --library smoke")
@click.command(short_help="Judge the runs of bundles again and add them.")
@RESULTS
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@RUN_ON
def merge(results: Path, files: tuple[Path, ...], libraries: tuple[Path, ...]) -> int:
    """Judge every candidate of the bundles again on LIBRARY and add their runs to RESULTS, each bundle as a whole or
    not at all.

    Times and bounds cannot be checked: merged runs are ranked apart from the others.
    """
    from vnnbench.output.sharing import merge_bundles

    return merge_bundles(results, files, libraries)


@example("vnnbench report results --paper pham2025 --out report")
@click.command(short_help="Make a paper's tables and figures from your runs.")
@RESULTS
@click.option("--paper", type=click.Choice([paper.value for paper in Paper]), required=True, help="Paper to follow.")
@click.option("--library", "libraries", type=PATH, multiple=True, metavar="LIBRARY",
              help="Library that the runs were made on, for pictures of trained networks; repeatable.")  # fmt: skip
@click.option("--out", type=PATH, metavar="DIR", help="Folder to write; default: RESULTS/report-PAPER.")
def report(results: Path, paper: str, libraries: tuple[Path, ...], out: Path | None) -> int:
    """Make the tables and figures of a paper from the runs in RESULTS. Writes report.md, with its figures as PNG and
    SVG, and prints its first sections, at most 80 lines. Decision planes of networks on two features need --library."""
    from vnnbench.output.rankings import report_paper

    return report_paper(results, paper, libraries, out)


@example(
    "vnnbench publish results --library smoke --out site\n"
    "vnnbench publish results --library smoke --out site --with-files \\\n"
    '    --title "Solvers on digits" --author "A. Lovelace" --author "A. Turing"'
)
@click.command(short_help="Write the results as a website.")
@RESULTS
@RUN_ON
@click.option("--out", type=PATH, required=True, metavar="SITE", help="Folder to write.")
@click.option("--title", metavar="TEXT", help="Title of the site and of its BibTeX entry.")
@click.option("--author", "authors", multiple=True, metavar="TEXT", help="One of its authors; repeatable.")
@click.option("--with-files", is_flag=True,
              help="Put the libraries into the site for download, without their sealed answers.")  # fmt: skip
def publish(
    results: Path, libraries: tuple[Path, ...], out: Path, title: str | None, authors: tuple[str, ...], with_files: bool
) -> int:
    """Write the results as a website that needs neither a server nor a network connection: open SITE/index.html, or
    copy SITE to any web host. An existing site in SITE is replaced."""
    from vnnbench.output.sharing import publish_results

    return publish_results(results, libraries, out, title, authors, with_files=with_files)
