"""Completion in a shell, as the installed command answers it: names, choices and files, without slow imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vnnbench.instances.suites.suite_toml import builtin_suites
from vnnbench.references.adapters import adapter_names

COMMAND = Path(sys.executable).with_name("vnnbench")


def answer(**variables: str) -> list[str]:
    """The lines that the command prints to a shell that asks it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COMP_", "_VNNBENCH"))}
    done = subprocess.run(
        [COMMAND], env={**environment, **variables}, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def completions(words: str) -> list[str]:
    """What bash is offered for the last of these words, which may be empty."""
    place = str(words.count(" "))
    return answer(_VNNBENCH_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=place)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("vnnbench le", ["plain,leaderboard"]),
        ("vnnbench generate pham2025-s", ["file,pham2025-s", "plain,pham2025-smoke"]),
        ("vnnbench suites ", ["file,", *(f"plain,{name}" for name in builtin_suites())]),
        ("vnnbench run smoke --solver ", ["file,", *(f"plain,{name}" for name in adapter_names())]),
        ("vnnbench check smoke --solver hi", ["file,hi", "plain,highs"]),
        ("vnnbench run smoke --goal ", ["plain,find", "plain,decide", "plain,optimize"]),
        ("vnnbench runs results --format p", ["plain,parquet"]),
        ("vnnbench report results --paper ", ["plain,pham2025", "plain,cacciola2024", "plain,rosenhahn2023"]),
        ("vnnbench publish results --with", ["plain,--with-files"]),
        ("vnnbench publish results --out si", ["file,si"]),
        ("vnnbench leaderboard re", ["file,re"]),
    ],
)
def test_bash_is_offered_names_choices_and_files(words, offered):
    assert completions(words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell):
    assert any("_VNNBENCH_COMPLETE" in line for line in answer(_VNNBENCH_COMPLETE=f"{shell}_source"))


def test_bash_completes_with_the_script(tmp_path):
    """Bash calls the function that the script defines, and offers files only where no name fits."""
    script = (
        f'PATH="{COMMAND.parent}:$PATH"; eval "$(_VNNBENCH_COMPLETE=bash_source vnnbench)"\n'
        "compopt() { :; }\n"
        "COMP_WORDS=(vnnbench generate quickst) COMP_CWORD=2; _vnnbench_completion vnnbench; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["quickstart"]
