"""The best candidate of an instance for its page, where it is not an input: what its family exhibits, and a picture."""

from __future__ import annotations

from vnnbench.common.text import shortened
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.exhibit import DecisionPlane
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.site.evidence import BestModel

_AXIS_CHARACTERS, _CLASS_CHARACTERS = 40, 24
"""The most characters of names in a picture: longer ones would leave no room for the plane."""


def best_model(judge: Judge, run: str, value: float, candidate: Float64Array) -> BestModel | None:
    """Return what the page shows of a run's feasible candidate with this value; None where its family shows nothing."""
    exhibit = judge.problem.exhibit(candidate)
    if exhibit is None:
        return None
    return BestModel(
        run=run,
        value=value,
        noun=exhibit.noun,
        measures=judge.measures(candidate),
        names=exhibit.names,
        file=exhibit.file,
        plane=None if exhibit.plane is None else _drawn(exhibit.plane),
    )


def _drawn(plane: DecisionPlane) -> bytes:
    # Imported here: matplotlib takes a second to load, and few pages need it.
    from vnnbench.leaderboard.papers import rosenhahn2023_figures as figures
    from vnnbench.leaderboard.papers.figure_style import printable

    first, second = (shortened(printable(name), _AXIS_CHARACTERS) for name in plane.axes)
    training, test = (figures.Samples(own.inputs, own.classes) for own in (plane.training, plane.test))
    return figures.draw_plane(
        figures.DecisionPlane(
            axes=(first, second),
            classes=tuple(shortened(printable(name), _CLASS_CHARACTERS) for name in plane.classes),
            training=training,
            test=test,
            side=plane.side,
            regions=plane.regions,
            lines=plane.lines,
        )
    )
