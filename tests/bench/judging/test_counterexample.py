from __future__ import annotations

import numpy as np
import pytest

from support.scripts import Steps
from support.tiny_libraries import BEST, CENTRE, GOOD, write_tiny_library
from vnnbench.errors import ResultsError
from vnnbench.instances.errors import InputError
from vnnbench.instances.properties.input_set import Norm
from vnnbench.judging.counterexample import find_counterexample
from vnnbench.leaderboard.records.reader import read_runs


def test_clearest_counterexample_is_found_again_from_the_files(play, library, steps):
    s, surrogate = steps("adv--tight"), steps("adv-mag-u10--tight")
    play("adv--tight", [s.incumbent(GOOD), ["wait_stop", 5]], "find")
    play("adv-mag-u10--tight", [surrogate.incumbent(BEST), ["wait_stop", 5]], "find")
    play("rob--tight", [["bound", 1.0]])
    found = find_counterexample(read_runs(play.results / "ledger.sqlite"), play.results, library)
    assert found is not None
    assert (found.instance, found.solver, found.side) == ("adv-mag-u10--tight", "scripted", 2)
    assert (found.clean_class, found.perturbed_class, found.source, found.target) == (0, 1, 0, 1)
    assert (found.value, found.norm, found.distance) == (0.25, "L1", 1.0)
    assert (found.clean.tolist(), found.perturbed.tolist()) == (CENTRE, BEST)
    assert found.seconds > 0


def test_any_target_of_an_linf_question_is_shown_with_its_norm(tmp_path, play_in):
    library = write_tiny_library(tmp_path / "library", {"any": 1.0}, norm=Norm.LINF, targets=(2, 1))
    x = [1.0, 0.75, 0.5, 0.5]
    play = play_in(library)
    play("any--tight", [Steps(library, library.row("any--tight")).incumbent(x), ["wait_stop", 5]], "find")
    found = find_counterexample(read_runs(play.results / "ledger.sqlite"), play.results, library)
    assert found is not None
    assert (found.source, found.target, found.perturbed_class) == (0, 1, 1)
    assert (found.value, found.norm, found.distance) == (0.25, "L-infinity", 0.5)


def test_without_a_success_of_a_solver_no_counterexample_is_shown(play, library, steps):
    """A candidate that is outside by 1e-4 confirms the problem, but is not shown."""
    s = steps("adv--tight")
    play("adv--tight", [s.incumbent([1.0001, 0.75, 0.5, 0.5])], "optimize")
    play("rob--tight", [["bound", 1.0]])
    assert find_counterexample(read_runs(play.results / "ledger.sqlite"), play.results, library) is None


def test_tampered_candidates_are_not_shown(play, library, steps):
    s = steps("adv--tight")
    row = play("adv--tight", [s.incumbent(BEST), ["wait_stop", 5]], "find")
    path = play.results / "candidates" / f"{row['run']}.npz"
    with np.load(path) as arrays:
        stored = {**arrays, "inputs": np.array([CENTRE])}
    np.savez(path, **stored)
    runs = read_runs(play.results / "ledger.sqlite")
    assert find_counterexample(runs, play.results, library) is None
    path.write_bytes(b"nonsense")
    with pytest.raises(ResultsError):
        find_counterexample(runs, play.results, library)


def test_library_without_the_instance_is_one_line(play, steps, tmp_path):
    play("adv--tight", [steps("adv--tight").incumbent(BEST), ["wait_stop", 5]], "find")
    other = write_tiny_library(tmp_path / "other", {"rob": 2.0})
    with pytest.raises(InputError, match="no instance 'adv--tight'"):
        find_counterexample(read_runs(play.results / "ledger.sqlite"), play.results, other)
