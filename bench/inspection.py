"""What the commands print: suites, libraries, solvers, checks, judgements, confirmations, leaderboards.

Each function is one command's work; it returns the command's exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench import display
from bench.confirm import confirm
from bench.judge import CandidateJudgement, Judge
from bench.ledger import LEDGER_NAME
from bench.progress import ProgressBar
from bench.rereading import differences
from bench.solutions import read_inputs, read_solution
from instances.checking import Finding, check_files, check_lifting
from instances.library import CatalogRow, Library, grid_summary
from instances.mps import read_mps
from instances.suite import builtin_suites, load_suite
from leaderboard.outcomes import is_wrong
from leaderboard.ranking import build_leaderboard
from leaderboard.records import is_failed, read_runs
from leaderboard.tables import Format, write_leaderboard
from solvers.base import SolverError
from solvers.registry import get_solver, solver_names
