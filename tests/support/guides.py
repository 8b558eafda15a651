"""The guides (README.md and those of the folders): their code blocks, and the commands in them, run as printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path


def blocks(guide: str, language: str) -> list[str]:
    """Return the bodies of the code blocks in this language, in order; `guide` is its text."""
    return re.findall(rf"^```{language}\n(.*?)^```$", guide, flags=re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """Return what follows a `$ ` prompt, in order; a line that ends in a backslash goes on in the next."""
    lines = block.replace("\\\n", "").splitlines()
    return [line[2:] for line in lines if line.startswith("$ ")]


def run_as_printed(block: str, folder: Path) -> None:
    """Run the commands of a block in `folder`, and check that each succeeds."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands(block):
        done = subprocess.run(
            shlex.split(command),
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
