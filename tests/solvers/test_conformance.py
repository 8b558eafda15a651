"""Every problem over every adapter: the same question has the same answer, and a limit means the same."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from support.solving import Recorder
from vnnbench.solvers.base import OptionError, SolveRequest, Termination
from vnnbench.solvers.command_line.description import placeholders

TOLERANCE = 1e-6


@pytest.fixture
def streaming(solver):
    """The adapter at hand, if it reports incumbents and bounds while it solves."""
    if not solver.streams:
        pytest.skip(f"{solver.name} is silent until it ends")
    return solver


@pytest.mark.parametrize("name", ["milp", "lp", "infeasible", "unbounded"])
def test_answer_is_the_expected_one(name, request, solved):
    problem = request.getfixturevalue(name)
    result, recorder = solved(problem)
    assert result.termination in problem.terminations
    assert result.raw_status
    assert recorder.names and sorted(recorder.names) == sorted(column.name for column in problem.columns)
    assert 0 <= result.read_seconds <= result.wall_seconds
    if problem.optimum is not None:
        assert result.primal_bound == pytest.approx(problem.optimum, abs=TOLERANCE)
        assert result.dual_bound == pytest.approx(problem.optimum, abs=TOLERANCE)


@pytest.mark.parametrize("name", ["milp", "lp", "knapsacks"])
def test_incumbents_are_feasible_in_the_file_and_improve(name, request, solved):
    problem = request.getfixturevalue(name)
    result, recorder = solved(problem)
    assert recorder.incumbents
    for incumbent in recorder.incumbents:
        values = recorder.values(incumbent)
        assert problem.violation(values) <= 1e-5
        assert incumbent.objective == pytest.approx(problem.objective(values), abs=1e-5)
    objectives = [incumbent.objective for incumbent in recorder.incumbents]
    # the last one may be the polished form of the one before
    assert all(later < earlier for earlier, later in pairwise(objectives[:-1]))
    assert objectives[-1] <= min(objectives) + TOLERANCE
    assert result.primal_bound == objectives[-1]
    assert result.columns == recorder.incumbents[-1].columns


@pytest.mark.parametrize("name", ["milp", "lp", "knapsacks", "endless"])
def test_dual_bounds_rise_and_stay_below_every_incumbent(name, request, solved):
    result, recorder = solved(request.getfixturevalue(name))
    bounds = recorder.dual_bounds
    assert bounds
    assert all(later > earlier for earlier, later in pairwise(bounds))
    assert bounds[-1] <= min(incumbent.objective for incumbent in recorder.incumbents) + TOLERANCE
    assert result.dual_bound <= bounds[-1]


def test_dual_bounds_come_while_the_solver_works(knapsacks, streaming, solved):
    _, recorder = solved(knapsacks)
    assert len(recorder.dual_bounds) >= 3
    assert len(recorder.incumbents) >= 2


def test_default_gap_proves_optimality(milp, solved):
    result, _ = solved(milp)
    assert result.termination is Termination.OPTIMAL
    assert result.primal_bound - result.dual_bound <= 1e-9


def test_gap_ends_the_solve_as_optimal(knapsacks, execute):
    result, _ = execute(knapsacks, mip_gap=0.2)
    assert result.termination is Termination.OPTIMAL
    assert result.dual_bound < result.primal_bound
    assert result.primal_bound - result.dual_bound <= 0.2 * abs(result.primal_bound) + TOLERANCE


def test_infeasible_problem_has_no_solution_and_no_infinite_number(infeasible, solved):
    result, recorder = solved(infeasible)
    assert result.primal_bound is None and result.columns is None
    assert result.dual_bound is None or abs(result.dual_bound) < 1e19
    assert not recorder.incumbents


def test_unbounded_problem_has_no_dual_bound(unbounded, solved):
    result, recorder = solved(unbounded)
    assert result.dual_bound is None
    assert not recorder.dual_bounds


def test_time_limit_with_incumbent_is_not_optimal(endless, solved):
    result, recorder = solved(endless)
    assert result.termination is Termination.TIME_LIMIT
    assert result.primal_bound > result.dual_bound
    assert result.columns == recorder.incumbents[-1].columns
    assert 0.5 < result.wall_seconds < 15


def test_time_limit_without_incumbent_has_no_primal_bound(hopeless, solved):
    result, recorder = solved(hopeless)
    assert result.termination is Termination.TIME_LIMIT
    assert result.primal_bound is None and result.columns is None
    assert not recorder.incumbents


def test_time_limit_counts_from_the_call(endless, execute):
    result, _ = execute(endless, time_limit_seconds=0.0)
    assert result.termination is Termination.TIME_LIMIT
    assert result.wall_seconds < 15


def test_node_limit_is_a_node_limit(hopeless, solver, execute):
    if not solver.streams and "node_limit" not in placeholders(solver.description.solve):
        with pytest.raises(OptionError, match=f"{solver.name}: option node_limit cannot be set: its TOML has"):
            execute(hopeless, node_limit=20)
        return
    result, _ = execute(hopeless, node_limit=20)
    assert result.termination is Termination.NODE_LIMIT
    assert 1 <= result.nodes <= 40


def test_a_solver_stops_at_the_first_incumbent(endless, streaming, execute):
    result, heard = execute(endless, Recorder(stop_when=lambda r: bool(r.incumbents)))
    assert result.termination is Termination.INTERRUPTED
    assert result.columns is not None
    assert result.primal_bound == heard.incumbents[-1].objective
    assert result.wall_seconds < 15


@pytest.mark.parametrize("polls", [3, 10, 30])
def test_a_stop_proves_no_bound(polls, knapsacks, streaming, execute):
    # SCIP announces the primal bound as its dual bound while it takes down an interrupted tree.
    stopping = Recorder(stop_when=lambda r: bool(r.incumbents) and r.polls > polls)
    result, heard = execute(knapsacks, stopping)
    assert result.termination is Termination.INTERRUPTED
    if heard.dual_bounds:
        assert heard.dual_bounds[-1] <= result.dual_bound + TOLERANCE * abs(result.dual_bound)
        assert heard.dual_bounds[-1] < result.primal_bound - 1


def test_a_solver_stops_without_any_incumbent(hopeless, execute):
    result, _ = execute(hopeless, Recorder(stop_when=lambda r: r.polls > 20))
    assert result.termination is Termination.INTERRUPTED
    assert result.columns is None and result.primal_bound is None
    assert result.wall_seconds < 15


def test_a_solver_stops_during_an_lp(big_lp, execute):
    result, _ = execute(big_lp, Recorder(stop_when=lambda r: True))
    assert result.termination is Termination.INTERRUPTED


def test_stop_may_come_from_another_thread(hopeless, execute):
    order = threading.Event()
    timer = threading.Timer(0.4, order.set)
    timer.start()
    result, _ = execute(hopeless, Recorder(stop_when=lambda r: order.is_set()))
    timer.join()
    assert result.termination is Termination.INTERRUPTED
    assert 0.3 < result.wall_seconds < 15


@pytest.mark.parametrize("error", [BrokenPipeError, KeyboardInterrupt])
@pytest.mark.parametrize("method", ["on_columns", "on_incumbent", "on_dual_bound", "should_stop"])
def test_what_the_listener_raises_ends_the_solve_and_is_raised(method, error, endless, milp, solver, execute):
    def fail(*_):
        raise error("gone")

    listener = Recorder()
    setattr(listener, method, fail)
    with pytest.raises(error, match="gone"):
        # without streaming, incumbents and bounds come at the end only
        execute(endless if solver.streams or method == "should_stop" else milp, listener, time_limit_seconds=60.0)
    assert execute(milp)[0].termination is Termination.OPTIMAL


@pytest.mark.parametrize(("seed", "threads"), [(0, 2), (7, 1), (2**40 + 3, 1)])
def test_seeds_and_threads_are_accepted(seed, threads, milp, execute):
    result, _ = execute(milp, seed=seed, threads=threads)
    assert result.termination is Termination.OPTIMAL
    assert result.primal_bound == pytest.approx(milp.optimum, abs=TOLERANCE)


def test_one_process_can_change_the_number_of_threads(endless, execute):
    for threads in (1, 2, 1):
        assert execute(endless, threads=threads, time_limit_seconds=0.3)[0].termination is Termination.TIME_LIMIT


SOLUTION_LIMIT = {
    "gurobi": {"SolutionLimit": "1"},
    "highs": {"mip_max_improving_sols": "1"},
    "scip": {"limits/bestsol": "1"},
}
TARGET = {
    "gurobi": {"BestObjStop": "100000"},
    "highs": {"objective_target": "100000"},
    "scip": {"limits/primal": "100000"},
}


def test_solution_limit_is_solution_found(endless, streaming, execute):
    result, _ = execute(endless, options=streaming.validate_options(SOLUTION_LIMIT[streaming.name]))
    assert result.termination is Termination.SOLUTION_FOUND
    assert result.columns is not None


def test_objective_target_is_bound_reached(endless, streaming, execute):
    result, _ = execute(endless, options=streaming.validate_options(TARGET[streaming.name]))
    assert result.termination is Termination.BOUND_REACHED
    assert result.primal_bound <= 100000


def test_nothing_is_printed_and_the_log_is_written(milp, endless, solver, execute, tmp_path, capfd):
    execute(milp)
    execute(endless, time_limit_seconds=0.3)
    solver.licence()
    solver.version()
    solver.read_model(milp.write(tmp_path))
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "solver.log").stat().st_size > 200


def test_compressed_file_is_solved(milp, solver, tmp_path):
    request = SolveRequest(milp.write(tmp_path, compressed=True), tmp_path / "solver.log", time_limit_seconds=10.0)
    assert solver.solve(request, Recorder()).primal_bound == pytest.approx(milp.optimum, abs=TOLERANCE)


def test_model_beyond_the_licence_is_a_license_limit(large, solver, execute):
    limit = solver.licence().max_columns
    result, recorder = execute(large, time_limit_seconds=0.5, options={})
    if limit is not None and len(large.columns) > limit:
        assert result.termination is Termination.LICENSE_LIMIT
        assert result.message and "\n" not in result.message
        assert result.primal_bound is None and result.dual_bound is None
    else:
        assert result.termination in (Termination.OPTIMAL, Termination.TIME_LIMIT)
    assert recorder.names
