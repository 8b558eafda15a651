"""Libraries hold a VNN-LIB file for every problem that VNN-LIB can express."""

import pytest

from vnnbench.instances.generation.generate import generate
from vnnbench.instances.layout import vnnlib_file
from vnnbench.instances.library.checks import check_files, check_row
from vnnbench.instances.properties.property_file import read_property
from vnnbench.instances.properties.vnnlib_reader import read_vnnlib
from vnnbench.instances.properties.vnnlib_writer import meaning
from vnnbench.instances.suites.suite_toml import parse_suite

SUITE = """
name = "goals"
description = "one network"
dataset = "digits"
input_sides = [8]
architectures = ["1x6"]
seeds = [0]
formulations = ["tight"]

[training]
epochs = 12
"""
PLANS = {
    "l1": ("l1", "targeted"), "l1-untargeted": ("l1", "untargeted"), "linf": ("linf", "targeted"),
    "linf-untargeted": ("linf", "untargeted"), "linf-closest": ("linf", "closest"),
}  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    tables = "".join(
        f'\n[[property]]\nnorm = "{norm}"\ngoal = "{goal}"\nradius = [0.1, 0.3]\n'
        + ("margin = 0.01\n" if goal == "closest" else "")
        for norm, goal in PLANS.values()
    )
    return generate(parse_suite(SUITE + tables, "goals"), tmp_path_factory.mktemp("goals") / "library")


def test_just_the_problems_that_vnnlib_can_express_have_a_file(library):
    with_file = {
        row.problem.removeprefix("digits-8x8-1x6-s0-")
        for row in library.rows
        if vnnlib_file(row.property) in library.hashes
    }
    assert with_file == {"linf", "linf-untargeted"}
    assert [finding for row in library.rows for finding in check_row(library, row)] == []
    assert list(check_files(library)) == []


def test_set_and_goal_are_those_of_the_json(library):
    for row in library.rows:
        relative = vnnlib_file(row.property)
        if relative in library.hashes:
            prop, query = read_property(library.property_path(row)), read_vnnlib(library.folder / relative)
            assert meaning(query.prop) == meaning(prop)
            assert (query.prop.source, query.prop.targets, query.n_outputs) == (prop.source, prop.targets, 10)
            assert prop.strict  # the file's comment says so, since VNN-LIB cannot
            assert (library.folder / relative).read_text().startswith("; The goal is strict")
