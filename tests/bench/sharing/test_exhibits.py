"""What a page shows of the best network of a training problem."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.train_problems import problem
from vnnbench.instances.families.train import TrainProblem
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.papers import rosenhahn2023_figures as figures
from vnnbench.sharing.exhibits import best_model


def test_long_names_are_cut_so_that_the_plane_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    prop = problem("000")
    names = {"features": ("a" * 255, "日" * 255), "classes": ("b" * 255, "😀" * 255)}
    trained = TrainProblem(replace(prop, split=replace(prop.split, **names)))
    judge = Judge(trained, trained.evaluators({}), pytest.fail)
    drawn: list[figures.DecisionPlane] = []
    draw_plane = figures.draw_plane
    monkeypatch.setattr(figures, "draw_plane", lambda plane: drawn.append(plane) or draw_plane(plane))
    model = best_model(judge, "run", 0.0, trained.centre)
    assert model is not None and model.plane is not None and model.plane.startswith(b"\x89PNG")
    assert [len(name) for name in (*drawn[0].axes, *drawn[0].classes)] == [40, 40, 24, 24]
