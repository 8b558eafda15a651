"""Plans: which runs there are, the key of each, settings as they are written, and shards."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from vnnbench.errors import UsageError
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.runs.plan import RunLimits, SolverSetting, parse_setting, plan_runs, shard, stored_setting
from vnnbench.solvers.base import OptionError, UnknownSolverError
from vnnbench.solvers.command_line.description import CommandFileError
from vnnbench.solvers.registry import get_solver

SETTING = SolverSetting("highs", "1.11.0")
LIMITS = RunLimits()


def key(row, setting=SETTING, seed=0, limits=LIMITS) -> str:
    (planned,) = plan_runs([row], [setting], [seed], limits)
    return planned.run


def test_run_name_never_changes(library):
    """Ledgers are resumed by these names: a change of this value orphans every run there is."""
    row = replace(library.row("adv--tight"), instance_sha256="ab" * 32)
    assert key(row) == "e1408a88a1565ac8"


def test_permutations_are_runs_of_their_own_beside_the_file_as_it_is(library):
    row = library.row("adv--tight")
    settings = [SETTING, replace(SETTING, solver="scip")]
    plan = plan_runs([row], settings, [0, 1], LIMITS, permutations=range(3))
    assert [(run.seed, run.permutation, run.setting.solver) for run in plan] == [
        (seed, k, solver) for seed in (0, 1) for k in (0, 1, 2) for solver in ("highs", "scip")
    ]
    assert len({run.run for run in plan}) == 12
    assert [run for run in plan if run.permutation == 0] == plan_runs([row], settings, [0, 1], LIMITS)


def test_solver_that_reads_no_model_runs_once_for_every_seed_however_many_permutations(library):
    """The solver reads no rows, so a permutation would be the same run again."""
    row = library.row("adv--tight")
    attack = replace(SETTING, solver="pgd", reads_model=False)
    plan = plan_runs([row], [SETTING, attack], [0, 1], LIMITS, permutations=range(3))
    assert [(run.seed, run.permutation) for run in plan if run.setting is attack] == [(0, 0), (1, 0)]
    assert [run for run in plan if run.setting is SETTING] == plan_runs([row], [SETTING], [0, 1], LIMITS, range(3))


def test_name_of_a_permuted_run_never_changes(library):
    row = replace(library.row("adv--tight"), instance_sha256="ab" * 32)
    assert [run.run for run in plan_runs([row], [SETTING], [0], LIMITS, (0, 1))] == [
        "e1408a88a1565ac8",
        "37d1da7b331aca8d",
    ]


def test_reading_no_model_is_part_of_a_setting_and_not_of_the_name_of_a_run(library):
    pgd = parse_setting("pgd:restarts=8")
    assert (parse_setting("highs").reads_model, pgd.reads_model) == (True, False)
    assert stored_setting(pgd.solver, pgd.settings_json) == pgd
    assert pgd.settings_json == '{"restarts": 8}'
    row = library.row("adv--tight")
    assert key(row, pgd) == key(row, replace(pgd, reads_model=True))


def test_every_component_makes_another_run(library):
    row = library.row("adv--tight")
    names = [
        key(row),
        key(replace(row, instance_sha256="0" * 64)),
        key(row, replace(SETTING, solver="scip")),
        key(row, replace(SETTING, version="1.12.0")),
        key(row, replace(SETTING, options=(("presolve", "off"),))),
        key(row, replace(SETTING, mip_gap=0.01)),
        key(row, replace(SETTING, node_limit=0)),
        key(row, replace(SETTING, node_limit=1)),
        key(row, seed=1),
        key(row, limits=replace(LIMITS, threads=2)),
        key(row, limits=replace(LIMITS, time_limit_seconds=60.0)),
        key(row, limits=replace(LIMITS, memory_limit_bytes=1 << 30)),
        key(row, limits=replace(LIMITS, goal=StopGoal.FIND)),
        key(row, limits=replace(LIMITS, goal=StopGoal.OPTIMIZE)),
    ]
    assert len(set(names)) == len(names)
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in names)


def test_irrelevant_differences_make_the_same_run(library):
    row = library.row("adv--tight")
    assert key(row) == key(replace(row, instance="other", model="elsewhere.mps.gz"))
    assert key(row, limits=replace(LIMITS, time_limit_seconds=60)) == key(
        row, limits=replace(LIMITS, time_limit_seconds=60.0)
    )
    one = parse_setting("highs:presolve=off,mip_feasibility_tolerance=1e-7")
    other = parse_setting("highs:mip_feasibility_tolerance=1e-7,presolve=off")
    assert one == other
    assert parse_setting("highs:mip_gap=0") == parse_setting("highs") == parse_setting("highs:")


def test_plan_goes_instance_by_instance_without_repetition(library):
    settings = [SETTING, replace(SETTING, solver="scip"), SETTING]
    plan = plan_runs(library.rows, settings, [0, 1, 0], LIMITS)
    assert [(run.row.instance, run.seed, run.setting.solver) for run in plan] == [
        (row.instance, seed, solver) for row in library.rows for seed in (0, 1) for solver in ("highs", "scip")
    ]


@pytest.mark.parametrize("goal", [StopGoal.FIND, StopGoal.DECIDE])
def test_instance_without_a_threshold_takes_only_optimize(library, goal):
    row = replace(library.row("adv--tight"), threshold=None)
    with pytest.raises(UsageError, match="has no threshold; use --goal optimize"):
        key(row, limits=replace(LIMITS, goal=goal))
    assert key(row, limits=replace(LIMITS, goal=StopGoal.OPTIMIZE))


def test_settings_are_read_as_typed_values():
    setting = parse_setting("highs:mip_gap=0.5,node_limit=10,presolve=off,mip_lp_age_limit=7")
    assert (setting.mip_gap, setting.node_limit) == (0.5, 10)
    assert setting.options == (("mip_lp_age_limit", 7), ("presolve", "off"))
    assert setting.settings_json == '{"mip_gap": 0.5, "mip_lp_age_limit": 7, "node_limit": 10, "presolve": "off"}'
    assert setting.version
    assert parse_setting("highs").settings_json == "{}"


def test_values_may_hold_an_equals_sign(scripted):
    assert parse_setting("scripted:script=a=b").options == (("script", "a=b"),)


def test_options_that_could_not_be_merged_are_refused(scripted):
    assert len(parse_setting(f"scripted:script={'x' * 9_000}").settings_json) > 9_000
    with pytest.raises(UsageError, match="its options have more than 10000 characters; give fewer"):
        parse_setting(f"scripted:script={'x' * 10_000}")


@pytest.mark.parametrize(
    "text",
    [
        "highs:presolve", "highs:presolve=", "highs:=on", "highs:,", "highs:presolve=on,presolve=off",
        "highs:mip_gap=x", "highs:mip_gap=-1", "highs:mip_gap=nan", "highs:mip_gap=inf", "highs:node_limit=1.5",
        "highs:node_limit=-1", f"highs:node_limit={2**31}", "highs:node_limit=" + "9" * 5000,
    ],
)  # fmt: skip
def test_setting_of_another_form_is_refused_with_its_text(text):
    with pytest.raises(UsageError) as caught:
        parse_setting(text)
    assert str(caught.value).startswith("--solver highs:")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("solver", ["highs", "scip", "gurobi"])
def test_unknown_option_is_named(solver):
    pytest.importorskip({"highs": "highspy", "scip": "pyscipopt", "gurobi": "gurobipy"}[solver])
    with pytest.raises(OptionError, match="no_such_option"):
        parse_setting(f"{solver}:no_such_option=1")


def test_unknown_solver_is_named_with_the_known_ones(scripted):
    with pytest.raises(UnknownSolverError, match="'cplex': known are cbc, glpk, gurobi, highs, scip, scripted"):
        parse_setting("cplex")


def test_limit_that_a_solver_cannot_be_given_is_refused():
    if not get_solver("glpk").installed():
        pytest.skip(f"glpk is not installed: {get_solver('glpk').needs()}")
    assert parse_setting("glpk:mip_gap=0.1").mip_gap == 0.1
    with pytest.raises(OptionError, match="glpk: option node_limit cannot be set: its TOML has"):
        parse_setting("glpk:node_limit=3")


def test_option_of_the_attack_may_end_as_the_name_of_a_toml():
    with pytest.raises(OptionError, match=r"^pgd: no option 'start'"):
        parse_setting("pgd:start=mine.toml")


@pytest.mark.parametrize("text", ["no/such.toml", "no/such.toml:mip_gap=0.1"])
def test_path_of_a_toml_is_separated_from_its_options(text):
    with pytest.raises(CommandFileError, match=r"^no/such\.toml: cannot be read"):
        parse_setting(text)


def test_option_that_looks_like_a_path_is_an_option():
    with pytest.raises(OptionError, match="no option 'log'"):
        parse_setting("highs:log=mine.toml")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_shards_partition_a_plan(library, count):
    plan = plan_runs(library.rows, [SolverSetting("highs", "1")], range(5), LIMITS)
    parts = [shard(plan, f"{i}/{count}") for i in range(1, count + 1)]
    assert sorted(run.run for part in parts for run in part) == sorted(run.run for run in plan)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_shard_has_all_settings_of_its_triples(library):
    settings = [SolverSetting("highs", "1"), SolverSetting("scip", "1")]
    plan = plan_runs(library.rows, settings, range(2), LIMITS, [0, 1])
    parts = [shard(plan, f"{i}/3") for i in (1, 2, 3)]
    found = [Counter((run.row.instance, run.seed, run.permutation) for run in part) for part in parts]
    assert all(set(triples.values()) == {len(settings)} for triples in found)
    assert sum(found, Counter()).total() == len(plan)


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3", "1.0/2", " 1/2", "/", "1/"])
def test_shard_of_another_form_is_refused(text):
    with pytest.raises(UsageError, match="must be I/N"):
        shard([], text)


def test_own_limits_of_instances_take_the_place_of_the_default(library):
    row = library.row("adv--tight")
    rows = [replace(row, time_limit_seconds=45.5), replace(row, instance_sha256="ab" * 32)]
    plan = plan_runs(rows, [SETTING], [0], LIMITS, own_limits=True)
    assert [run.limits.time_limit_seconds for run in plan] == [45.5, 300.0]
    assert [run.run for run in plan] == [key(rows[0], limits=replace(LIMITS, time_limit_seconds=45.5)), key(rows[1])]
    assert {run.limits.time_limit_seconds for run in plan_runs(rows, [SETTING], [0], LIMITS)} == {300.0}
