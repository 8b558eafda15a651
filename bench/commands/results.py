"""Commands about results: rank, publish, choose, give away, take in."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from vnnbench.commands.options import FORMAT, PATH, RESULTS, RUN_ON, example
from vnnbench.leaderboard.words import Paper


@example("vnnbench leaderboard results --by depth\nvnnbench leaderboard results --format csv > ranking.csv")
@click.command(short_help="Rank the solver settings.")
@RESULTS
@click.option("--by", multiple=True, metavar="COLUMN", help="Group by a catalogue column; repeatable.")
@click.option("--format", "output", type=click.Choice(["table", "markdown", "csv", "json", "latex"]), default="table",
              show_default=True, help="How to print; csv and latex have the settings only.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Follow a running ledger on the terminal, until Ctrl-C.")
def leaderboard(results: Path, by: tuple[str, ...], output: str, watch: bool) -> int:
    """Rank the solver settings of RESULTS, each goal on each machine by itself, dense against surrogate, with wrong
    answers in plain sight."""
    from vnnbench.output.rankings import follow_leaderboard, print_leaderboard

    if not watch:
        return print_leaderboard(results, by, output)
    if output != "table":
        raise click.BadOptionUsage("watch", f"--watch: shows tables; leave out --format {output}")
    if not sys.stdout.isatty():
        raise click.BadOptionUsage("watch", "--watch: needs a terminal to draw on; leave it out to print once")
    return follow_leaderboard(results, by)


@example("vnnbench runs results > runs.csv\nvnnbench runs results --format parquet --out runs.parquet")
@click.command(short_help="Every run with every field, for other programs.")
@RESULTS
@click.option("--format", "form", type=click.Choice(["csv", "json", "parquet"]), default="csv", show_default=True,
              help="How to write; parquet needs pyarrow.")  # fmt: skip
@click.option("--out", type=PATH, metavar="FILE", help="File to write; default: standard output.")
def runs(results: Path, form: str, out: Path | None) -> int:
    """Write every run of RESULTS, one row each with every field and the facts of its instance."""
    from vnnbench.output.stored_runs import Export, export_runs

    return export_runs(results, Export(form), out)


@example("vnnbench select results --size 20 --out chosen\nvnnbench run smoke --select @chosen --results set ...")
@click.command(short_help="Choose a benchmark set.")
@RESULTS
@click.option("--size", type=click.IntRange(min=1), required=True, metavar="N", help="How many instances.")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="List to write, for --select @FILE.")
@FORMAT
def select(results: Path, size: int, out: Path, output: str) -> int:
    """Choose instances from measured runs: easy to open, evenly of every kind, no two near-copies."""
    from vnnbench.output.rankings import choose_instances

    return choose_instances(results, size, out, output)


@example("vnnbench answers results > answers.solu")
@click.command(short_help="Best known objective values, as .solu.")
@RESULTS
@click.option("--format", "output", type=click.Choice(["solu", "json"]), default="solu", show_default=True,
              help="How to print; json says whose bound makes an optimum.")  # fmt: skip
def answers(results: Path, output: str) -> int:
    """Print the best known objective value of every instance in RESULTS as a .solu file: =opt= where a verified value
    meets an unrefuted bound that a solver claims, =best= a verified value, =unkn= none."""
    from vnnbench.output.sharing import print_answers

    return print_answers(results, output)


@example("vnnbench bundle results --out mine.zip")
@click.command(short_help="Pack all runs into one file, to give away.")
@RESULTS
@click.option("--out", type=PATH, required=True, metavar="FILE", help="File to write.")
def bundle(results: Path, out: Path) -> int:
    """Pack the ledger's runs with their candidates, logs and machine facts into FILE, for `vnnbench merge`."""
    from vnnbench.output.sharing import pack_results

    return pack_results(results, out)


@example("vnnbench merge results mine.zip theirs.zip --library smoke")
@click.command(short_help="Take in the runs of others, judged again.")
@RESULTS
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@RUN_ON
def merge(results: Path, files: tuple[Path, ...], libraries: tuple[Path, ...]) -> int:
    """Take bundles into RESULTS, each whole or not at all, after judging every candidate again on LIBRARY. Times and
    bounds are the submitter's word: they rank within their machine only."""
    from vnnbench.output.sharing import merge_bundles

    return merge_bundles(results, files, libraries)


@example("vnnbench report results --paper pham2025 --out report")
@click.command(short_help="A paper's tables and figures.")
@RESULTS
@click.option(
    "--paper", type=click.Choice([paper.value for paper in Paper]), required=True, help="Whose tables and figures."
)
@click.option("--out", type=PATH, metavar="DIR", help="Folder to write; default: RESULTS/report-PAPER.")
def report(results: Path, paper: str, out: Path | None) -> int:
    """Make a paper's tables and figures from the runs in RESULTS: report.md, which is printed too, PNG and SVG."""
    from vnnbench.output.rankings import report_paper

    return report_paper(results, paper, out)


@example(
    "vnnbench publish results --library smoke --out site\n"
    "vnnbench publish results --library smoke --out site --with-files \\\n"
    '    --title "Solvers on digits" --author "A. Lovelace" --author "A. Turing"'
)
@click.command(short_help="A web site of the comparison.")
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
    """Write the comparison in RESULTS as web pages that need neither a server nor the network: open SITE/index.html, or
    copy SITE to any web host. A site that is there is replaced."""
    from vnnbench.output.sharing import publish_results

    return publish_results(results, libraries, out, title, authors, with_files=with_files)
