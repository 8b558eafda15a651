"""Run the command line: `python -m vnnbench` is the command `vnnbench`."""

from vnnbench.cli import main

main()
