"""The TOMLs of packaged command-line solvers are complete, and errors in a TOML name file and key."""

from __future__ import annotations

import os
import re
import tomllib

import pytest

from vnnbench.solvers.base import Termination
from vnnbench.solvers.command_line.description import (
    PACKAGED,
    CommandFileError,
    packaged_files,
    placeholders,
    read_command_file,
)
from vnnbench.solvers.registry import get_solver

GOOD = (PACKAGED / "cbc.toml").read_text()


def refused(tmp_path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(CommandFileError) as caught:
        get_solver(str(path))
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def test_packaged_ones_are_read():
    descriptions = {path.stem: read_command_file(path) for path in packaged_files()}
    assert set(descriptions) == {"cbc", "glpk"}
    for name, description in descriptions.items():
        assert description.name == name
        assert {"model", "solution"} <= placeholders(description.solve)
        assert {Termination.OPTIMAL, Termination.INFEASIBLE, Termination.TIME_LIMIT} <= {
            status.termination for status in description.statuses
        }
        assert description.rewrite is not None and description.rewrite.tolerance <= 1e-14
    assert descriptions["glpk"].negated_constant and not descriptions["cbc"].negated_constant


def test_optional_keys_have_a_default(tmp_path):
    text = GOOD[: GOOD.index("[rewrite]")]
    text = re.sub(r"\n\[\[.*", "", re.sub(r"\nobjective = \[.*?\n\]", "", text, flags=re.DOTALL), flags=re.DOTALL)
    path = tmp_path / "mine.toml"
    path.write_text(re.sub(r'\n(nodes =|format = "cbc").*', "", text))
    description = read_command_file(path)
    assert description.gzip and not description.negated_constant
    assert (description.nodes, description.rewrite, description.objective) == (None, None, ())
    assert (description.solution, description.leaves_zeros_out) == (None, False)
    assert (description.statuses, description.dual_bounds) == ((), ())


@pytest.mark.parametrize("key", ["title", "program", "needs", "licence", "version", "version_pattern"])
def test_missing_key_is_named(key, tmp_path):
    assert f"key {key} is missing" in refused(tmp_path, re.sub(rf"(?m)^{key} = .*\n", "", GOOD))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("title =", "titel =", "key title is missing; it must be a text"),
        ("[solve]", "threads = 3\n[solve]", "unknown key threads; known are model, solve"),
        ("nodes =", "node =", "unknown key solve.node; did you mean nodes?"),
        ('"cbc"\nneeds', "7\nneeds", "program is 7, it must be a text"),
        ('["-quit"]', '"-quit"', "version is '-quit', it must be a list of words without placeholders"),
        ('["-quit"]', '["{model}"]', "version is ['{model}'], it must be"),
        (
            r"Version: (\S+)",
            r"Version: \S+",
            "it must be a regular expression of at most 1000 characters with one group: it has 0",
        ),
        (
            r"Version: (\S+)",
            r"(\S+)" + "[a-z]" * 200,
            "it must be a regular expression of at most 1000 characters with",
        ),
        (
            r"Version: (\S+)",
            r"Version: (\S+",
            "with one group: missing ), unterminated subpattern at position 9",
        ),
        ('"{seed}"', '"{sead}"', "solve.words is"),
        ('"{seed}"', '"{seed"', "solve.words is"),
        ('"{solution}"', '"out"', "solve.words is"),
        ('["-maxNodes", "{node_limit}"]', '"{node_limit}"', "{whole_seconds} only, {node_limit} in an inner list"),
        ('format = "cbc"', 'format = "sol"', 'solution.format is \'sol\', it must be "cbc", "glpk" or "names"'),
        ('termination = "unbounded"', 'termination = "endless"', "status.termination is 'endless', it must be one of"),
        ("[[status]]\npattern = '^Unb", "[[status]]\npatern = '^Unb", "key status.pattern is missing"),
        ("relative = 5e-8", "relative = -1", "dual_bound.relative is -1, it must be a number from 0 to 1"),
        ("relative = 5e-8", "relativ = 0.1", "unknown key dual_bound.relativ; did you mean relative?"),
        ('format = "mps"', 'format = "lp"', 'rewrite.format is \'lp\', it must be "mps" or "glpk"'),
        ('"{output}"', '"{solution}"', "rewrite.words is"),
        ("[solve]", '[model]\nconstant = "minus"\n[solve]', "model.constant is 'minus', it must be \"plain\" or"),
        ("[solve]", "[model]\ngzip = 1\n[solve]", "model.gzip is 1, it must be true or false"),
        ("[solution]", "[solution]\nleaves_zeros_out = 1", "solution.leaves_zeros_out is 1, it must be true or false"),
        ("[solve]", "[solve", "is not TOML"),
    ],
)
def test_wrong_value_is_named_with_what_would_be_right(old, new, what, tmp_path):
    assert GOOD.count(old) >= 1
    assert what in refused(tmp_path, GOOD.replace(old, new, 1))


def test_value_in_place_of_a_table_is_named(tmp_path):
    document = GOOD[: GOOD.index("[solution]")]
    assert "solution is 3, it must be a table, [solution]" in refused(tmp_path, "solution = 3\n" + document)
    assert tomllib.loads(document)
    assert "status is [3], it must be an array of tables, [[status]]" in refused(
        tmp_path, "status = [3]\n" + GOOD[: GOOD.index("# The first")]
    )


def test_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CommandFileError, match=r"none\.toml: cannot be read \(No such file"):
        get_solver(str(tmp_path / "none.toml"))
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(CommandFileError, match=r"pipe\.toml: is not a file"):
        get_solver(str(tmp_path / "pipe.toml"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CommandFileError, match=r"bytes\.toml: is not TOML"):
        get_solver(str(tmp_path / "bytes.toml"))


def test_name_of_a_known_solver_is_refused(tmp_path):
    (tmp_path / "highs.toml").write_text(GOOD)
    with pytest.raises(CommandFileError, match=r"highs\.toml: highs is the name of another solver; rename the file"):
        get_solver(str(tmp_path / "highs.toml"))
    (tmp_path / "a b.toml").write_text(GOOD)
    with pytest.raises(CommandFileError, match=r"a b\.toml: the file's name is the solver's name"):
        get_solver(str(tmp_path / "a b.toml"))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('title = "', "x = " + "9" * 5000 + '\ntitle = "', "is not TOML"),
        ('title = "', "title = 0x" + "f" * 5000 + "\n#", "title is a number of thousands of digits"),
        ('title = "', "x = " + "[" * 5000 + '\ntitle = "', "too many tables or lists within each other"),
        ("version_pattern = '", "version_pattern = '" + "(" * 5000 + ")" * 5000 + "'\n#", "version_pattern is"),
        ("version_pattern = '", "version_pattern = '[[a]](b)'\n#", "version_pattern is"),
        ('"{seconds}"', '"{seconds:>999999999}"', "solve.words is"),
        ('"{seconds}"', '"{seconds!r}"', "solve.words is"),
        ('title = "', '"a\\nb" = 1\ntitle = "', "unknown key a\\nb"),
    ],
)
def test_what_python_cannot_hold_or_print_is_one_line(old, new, what, tmp_path):
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    message = refused(tmp_path, text)
    assert what in message and message.isprintable() and len(message) < 1001
