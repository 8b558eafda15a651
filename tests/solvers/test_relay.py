"""The rules of the listener, without any solver."""

from __future__ import annotations

from array import array
from math import inf, nan

import pytest

from support.solving import Recorder
from vnnbench.solvers.base import Termination
from vnnbench.solvers.relay import Answer, Relay


def test_only_better_and_finite_values_are_passed_on():
    heard = Recorder()
    relay = Relay(heard, infinity=1e20)
    for objective in (inf, 1e20, nan, 5.0, 5.0, 6.0, 4.0, -inf):
        relay.incumbent(objective, lambda: [1.0])
    for bound in (-inf, -1e20, nan, 1.0, 1.0, 0.0, 2.0, inf):
        relay.dual_bound(bound)
    assert [incumbent.objective for incumbent in heard.incumbents] == [5.0, 4.0]
    assert heard.dual_bounds == [1.0, 2.0]


def test_columns_of_a_worse_solution_are_not_fetched():
    relay = Relay(Recorder())
    relay.incumbent(1.0, lambda: [0.0])
    relay.incumbent(2.0, lambda: pytest.fail("fetched"))
    assert relay.result(Answer(Termination.OPTIMAL, "raw")).primal_bound == 1.0


def test_final_answer_is_passed_on_once():
    heard = Recorder()
    relay = Relay(heard)
    relay.incumbent(3.0, lambda: [1.0, 2.0])
    answer = Answer(Termination.OPTIMAL, "raw", objective=3.0, columns=array("d", [1.0, 2.0]), dual_bound=3.0)
    result = relay.result(answer)
    assert len(heard.incumbents) == 1
    assert heard.dual_bounds == [3.0]
    assert (result.primal_bound, result.dual_bound, result.columns) == (3.0, 3.0, array("d", [1.0, 2.0]))


def test_polished_final_solution_is_passed_on():
    heard = Recorder()
    relay = Relay(heard)
    relay.incumbent(3.0, lambda: [0.999999])
    relay.result(Answer(Termination.OPTIMAL, "raw", objective=3.0, columns=array("d", [1.0])))
    assert [list(incumbent.columns) for incumbent in heard.incumbents] == [[0.999999], [1.0]]


def test_a_solver_that_fails_at_the_end_keeps_what_it_reported():
    relay = Relay(Recorder())
    relay.incumbent(3.0, lambda: [1.0])
    relay.dual_bound(2.0)
    result = relay.result(Answer(Termination.ERROR, "raw", objective=inf, dual_bound=-inf, message="broke"))
    assert (result.primal_bound, result.dual_bound) == (3.0, 2.0)
    assert result.termination is Termination.ERROR


@pytest.mark.parametrize("claimed", [[], [-2.0]])
def test_the_final_bound_of_an_error_is_not_a_claim(claimed):
    heard = Recorder()
    relay = Relay(heard)
    for bound in claimed:
        relay.dual_bound(bound)
    result = relay.result(Answer(Termination.ERROR, "kSolveError", dual_bound=0.0, message="broke"))
    assert heard.dual_bounds == claimed
    assert result.dual_bound == (claimed[-1] if claimed else None)


def test_stop_makes_any_status_interrupted():
    relay = Relay(Recorder(stop_when=lambda r: True))
    assert relay.stop() and relay.stop()
    result = relay.result(Answer(Termination.TIME_LIMIT, "kTimeLimit"))
    assert (result.termination, result.raw_status) == (Termination.INTERRUPTED, "kTimeLimit")


def test_after_a_failure_the_listener_is_not_called_and_the_solver_stops():
    heard = Recorder()
    relay = Relay(heard)
    with relay.guard():
        raise BrokenPipeError("gone")
    relay.incumbent(1.0, lambda: [0.0])
    relay.dual_bound(0.0)
    assert relay.stop()
    assert not heard.incumbents and not heard.dual_bounds and not heard.polls
    with pytest.raises(BrokenPipeError, match="gone"):
        relay.result(Answer(Termination.OPTIMAL, "raw"))
