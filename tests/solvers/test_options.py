"""Options given as text are typed, passed on, or refused with one line that names solver and option."""

from __future__ import annotations

import pytest

from vnnbench.solvers.base import OptionError

GOOD = {
    "gurobi": {
        "MIPFocus": ("1", 1),
        "Heuristics": ("0.25", 0.25),
        "NodeMethod": ("-1", -1),
        "NodefileDir": ("nodes", "nodes"),
    },
    "highs": {
        "presolve": ("off", "off"),
        "mip_detect_symmetry": ("false", False),
        "mip_lp_age_limit": ("5", 5),
        "mip_heuristic_effort": ("0.5", 0.5),
    },
    "scip": {
        "separating/maxrounds": ("3", 3),
        "conflict/enable": ("false", False),
        "branching/scorefunc": ("s", "s"),
        "numerics/feastol": ("1e-7", 1e-7),
        "limits/stallnodes": ("5000000000", 5_000_000_000),
    },
}
UNKNOWN = {"gurobi": ("mipfocus", "MIPFocus"), "highs": ("presolv", "presolve"), "scip": ("limits/tim", "limits/time")}
WRONG_TYPE = {
    "gurobi": ("MIPFocus", "much"),
    "highs": ("mip_lp_age_limit", "1.5"),
    "scip": ("conflict/enable", "perhaps"),
}
OUTSIDE = {
    "gurobi": ("MIPFocus", "9"),
    "highs": ("presolve", "sometimes"),
    "scip": ("branching/scorefunc", "z"),
}
HUGE = {"gurobi": "MIPFocus", "highs": "mip_lp_age_limit", "scip": "separating/maxrounds"}
NOT_A_NUMBER = {"gurobi": "Heuristics", "highs": "mip_heuristic_effort", "scip": "numerics/feastol"}
PRESOLVE_OFF = {
    "gurobi": ({"Presolve": "0"}, "Presolve  0", True),
    "highs": ({"presolve": "off"}, "Presolve reductions", False),
    "scip": ({"presolving/maxrounds": "0"}, "presolving (0 rounds", True),
}


@pytest.fixture
def solver(solver):
    """Every adapter with options of its own, which programs lack: tests/solvers/command_line/test_adapter.py."""
    if solver.name not in GOOD:
        pytest.skip(f"{solver.name} has no options of its own")
    return solver


def test_values_get_the_type_of_the_option(solver):
    given = GOOD[solver.name]
    typed = solver.validate_options({name: text for name, (text, _) in given.items()})
    assert typed == {name: value for name, (_, value) in given.items()}
    assert [type(value) for value in typed.values()] == [type(value) for _, value in given.values()]


def test_without_options_none_are_set(solver):
    assert solver.validate_options({}) == {}


def refused(solver, options):
    with pytest.raises(OptionError) as caught:
        solver.validate_options(options)
    message = str(caught.value)
    assert "\n" not in message and solver.name in message and next(iter(options)) in message
    return message


def test_unknown_option_is_refused_with_a_suggestion(solver, capfd):
    name, suggestion = UNKNOWN[solver.name]
    assert suggestion in refused(solver, {name: "1"})
    refused(solver, {"zzzzqqqq": "1"})
    assert capfd.readouterr() == ("", "")


def test_wrong_type_and_outside_the_domain_are_refused(solver, capfd):
    for name, text in (WRONG_TYPE[solver.name], OUTSIDE[solver.name]):
        assert text in refused(solver, {name: text})
    refused(solver, {HUGE[solver.name]: str(2**70)})
    refused(solver, {NOT_A_NUMBER[solver.name]: "nan"})
    assert capfd.readouterr() == ("", "")


def test_what_the_harness_sets_by_name_is_refused_and_exists(solver):
    assert len(solver.owned) >= 8
    for name, instead in solver.owned.items():
        assert instead in refused(solver, {name: "1"})


def test_owned_names_are_the_solver_s_own(solver, tmp_path, monkeypatch):
    """A misspelt entry would protect nothing."""
    monkeypatch.chdir(tmp_path)  # one of them names a log file
    adapter = type(solver)
    saved = adapter.owned
    try:
        for name in saved:
            adapter.owned = {}
            try:
                adapter().validate_options({name: "1"})
            except OptionError as error:
                assert "no option" not in str(error)
    finally:
        adapter.owned = saved


def test_options_reach_the_solver(milp, solver, execute, tmp_path):
    options, words, present = PRESOLVE_OFF[solver.name]
    execute(milp)
    assert (words in (tmp_path / "solver.log").read_text()) is not present
    (tmp_path / "solver.log").unlink()
    result, _ = execute(milp, options=solver.validate_options(options))
    assert (words in (tmp_path / "solver.log").read_text()) is present
    assert result.primal_bound == pytest.approx(milp.optimum, abs=1e-6)
