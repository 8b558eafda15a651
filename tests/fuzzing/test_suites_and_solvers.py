"""TOML files of suites, and of solvers that are programs."""

from __future__ import annotations

from itertools import islice

import pytest

from support.fuzzing import attempt, fuzz
from support.suites import TRAIN_SUITE
from vnnbench.instances.suites.suite_toml import load_suite
from vnnbench.solvers.command_line.description import packaged_files, read_command_file

SUITE = """
name = "small"
description = "a suite"
dataset = "digits"
input_sides = [8, 4]
architectures = ["2x8", "1x16"]
seeds = [0, 1]
formulations = ["tight"]
bounds = "backward"

[training]
epochs = 40
batch_size = 32
learning_rate = 1e-3
weight_decay = 0.0
optimizer = "adam"

[[property]]
norm = "l1"
radius = [1.0, 4.0]

[[property]]
norm = "linf"
radii = [0.1, 0.2]
goal = "closest"
margin = 0.5

[[pruning]]
method = "magnitude"
structure = "unstructured"
rates = [0.5]
finetuned = [false, true]

[[pruning]]
method = "spr"

[finetuning]
rounds = 2
epochs = 1

[spr]
lambdas = [0.1]
alphas = [0.5]
threshold = 0.01
accuracy_loss = 0.05
finetuning_epochs = 1
"""
TRAIN = (
    TRAIN_SUITE.replace("neurons = 2", "neurons = 2\nweight_limit = 2\nweight_sum_limit = 9")
    + '\n[[data]]\ncsv = "own.csv"\ntarget = "class"\nneurons = 3\n'
)
WORDS = (
    "x = 1", "x = [" * 3000, "[[[[", "x = " + "{a=" * 3000, "[" + "a." * 3000 + "a]",
    "[" + ".".join(["finetuning"] * 2000) + "]", "x = " + "9" * 5000, "0x" + "f" * 5000, "1979-05-27",
    "1979-05-27T07:32:00Z", "99:99:99", "inf", "nan", "-inf", "'''", '"""', '"\\ud800"', '"\\u0000"', '"a\\nb" = 1',
    '"\\u001b[31m" = 1', "[training]", "[[training]]", "seeds = 1", "[0, 1, 2]", "[[0]]", "[nan]", "true", "false",
    "'l1'", "'box'", "'untargeted'", "'random'", "'structured'", "{}", "family = 'maximize'", "1e309", "2147483648",
    "[]", "['2x8', '2x8']", "'99x99999'", "name = ''", "= 1", "family = 'train'", "csv = '../x.csv'", "target = ''",
    "['000']", "'wine'", "[[data]]",
)  # fmt: skip
PATTERNS = (
    "'('", "'['", "'(' + 5", "'" + "(" * 5000 + ")" * 5000 + "'", "'(a{1,999999999999})'", "'(?i)(a)'", "'a(?i)(b)'",
    "'[[a]](b)'", "'(?P<x>a)(?P<x>b)'", "'(\\1)'", "'(?<=a*)(b)'", "'{model!r}'", "'{model:>99999999}'",
    "'{model.x}'", "'{model:{seconds}}'", "'{0}'", "'{'", "'}'", "'{{}}'", "['{threads}']", "[['{threads}'], []]",
    "[[['x']]]", "'\\N{DIGIT ONE}(a)'", "program = '../x'", "constant = 'negated'", "'plain'", "gzip = 1",
    "tolerance = nan", "relative = 2", "absolute = -0.0", "[rewrite]", "[[status]]", "status = 1", "status = [1]",
    "[[solve]]", "'optimal'", "'names'", "'mps'",
)  # fmt: skip


@pytest.mark.parametrize("text", [SUITE, TRAIN])
def test_a_suite_is_read_or_refused(text, tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(text)
    (tmp_path / "own.csv").write_text("x,class\n1,a\n2,b\n")
    assert load_suite(path).n_instances > 8

    def check(mutator):
        path.write_bytes(mutator.mutate_text(text, WORDS))
        suite = attempt(load_suite, path)
        if suite is not None:
            assert suite.n_instances >= suite.n_problems > 0
            first = list(islice(suite.instances(), 1000))
            assert len({instance.name for instance in first}) == len(first)

    fuzz(check)


@pytest.mark.parametrize("text", [SUITE, TRAIN])
def test_a_suite_is_shown_or_refused(text, command, tmp_path):
    path = tmp_path / "s.toml"

    def check(mutator):
        path.write_bytes(mutator.mutate_text(text, WORDS))
        command("suites", path, "--format", mutator.choice(("json", "table")))

    fuzz(check)


@pytest.mark.parametrize("path", packaged_files(), ids=lambda path: path.stem)
def test_a_solver_is_read_or_refused(tmp_path, path):
    text = path.read_text()

    def check(mutator):
        mutated = tmp_path / path.name
        mutated.write_bytes(mutator.mutate_text(text, (*WORDS, *PATTERNS)))
        description = attempt(read_command_file, mutated)
        if description is not None:
            assert description.version_pattern.groups == 1
            for words in (description.solve, description.version):
                for word in words:
                    for part in (word,) if isinstance(word, str) else word:
                        filled = part.format_map(dict.fromkeys(SOLVE_VALUES, "v"))
                        assert len(filled) <= len(part)

    fuzz(check)


SOLVE_VALUES = ("model", "solution", "seconds", "whole_seconds", "threads", "seed", "mip_gap", "node_limit")
