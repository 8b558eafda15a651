"""The pictures of a paper's report that need libraries: the decision planes of networks on data with two features."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.instances.progress import Progress
from vnnbench.sharing.publish import collect_evidence


def decision_planes(runs: pd.DataFrame, results: Path, library_set: LibrarySet, progress: Progress) -> dict[str, bytes]:
    """Return PNG files by problem: of every data set with two features, each variant's first split that was run.

    A picture shows the best network of any run on any instance of the problem. Problems that none of the libraries has
    are left out. runs: as `reader.read_runs` gives them. Raises `InputError`.
    """
    flat = runs[runs["features"] == 2]
    first = flat.groupby(["dataset", "width", "variant"])["network_seed"].transform("min")
    wanted = flat[flat["network_seed"] == first]
    evidence, _ = collect_evidence(wanted, results, library_set, progress)
    best: dict[str, tuple[float, bytes]] = {}
    for problem, of_problem in wanted.groupby("problem", sort=False):
        models = [evidence[digest].model for digest in of_problem["instance_sha256"].unique() if digest in evidence]
        drawn = [(own.value, own.plane) for own in models if own is not None and own.plane is not None]
        if drawn:
            best[str(problem)] = max(drawn)
    return {problem: picture for problem, (_, picture) in best.items()}
