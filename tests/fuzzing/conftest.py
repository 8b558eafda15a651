"""Fuzzing: valid files, mutated, and what every reader must do with them.

A reader gives what it read, or raises an error of the project in one line that names the file. It neither warns nor
hangs nor takes more than a gibibyte. In CI the same `CI_EXAMPLES` of every kind, fewer where a whole library or ledger
is an example; `VNNBENCH_FUZZ_EXAMPLES=20000` makes as many, others each time.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from vnnbench.cli import KNOWN_ERRORS, run_command
from vnnbench.instances.networks.network import Network
from vnnbench.instances.onnx_files.writer import onnx_bytes

CI_EXAMPLES = 80
EXAMPLES = int(os.environ.get("VNNBENCH_FUZZ_EXAMPLES", CI_EXAMPLES))
MAX_SECONDS, MAX_MORE_BYTES, MAX_MESSAGE = 20, 1 << 30, 1000

NUMBERS = (
    "", "0", "-0.0", "1", "-1", "1.5", "1e999", "-1e999", "1e-999", "5e-324", "1.7976931348623157e308", "nan", "inf",
    "-inf", "9" * 5000, "1_0", "0x10", "1/3", "2147483648", "9007199254740993", "18446744073709551616", "1e100",
    "\u0661", "0.1", "1e-1199",
)  # fmt: skip
WORDS = (
    "", "\0", "\x1b[31m", "\r", "\u2028", "\x85", "\ud7ff", "true", "null", "[]", "{}", "(", ")", "'", '"', "..",
    "/", "%s", "{0}", "../outside/secret", "a" * 3000, "\u00e9", ";", "#", "*", "=",
)  # fmt: skip
BYTES = (*(text.encode() for text in (*NUMBERS, *WORDS)), b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x80" * 4 + b"\x10")
VALUES = (
    None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 0.0, -0.0, 0.5, -1.5, 1e308, 5e-324, "", "0.1", "1/3",
    "0.5", "1/0", "1e999", "nan", "\0", "\n", "\x1b[31m", "../outside/secret", "a" * 3000, [], {}, [[]], [0], [None],
    {"a": 1},
)  # fmt: skip
"""What JSON and TOML may hold in place of something else."""
_DEEP = re.compile(r'"@(\d+)@"')
_TOKEN = re.compile(r"[^\s()\[\]{},=\"]+")


class Mutator:
    """Draws mutations; every method returns the mutated copy."""

    def __init__(self, data: DataObject) -> None:
        self.data = data

    def number(self, lowest: int, highest: int) -> int:
        return self.data.draw(st.integers(lowest, highest))

    def choice(self, items: Any) -> Any:
        return items[self.number(0, len(items) - 1)]

    def _part(self, length: int) -> tuple[int, int]:
        """The ends of a slice, most of them short."""
        start = self.number(0, length)
        return start, min(length, start + self.choice((0, 1, 2, 4, 8, 64, 4096)))

    def bytes(self, original: bytes) -> bytes:
        """Flipped bits, parts cut, doubled, moved and replaced."""
        mutated = bytearray(original)
        for _ in range(self.number(1, 4)):
            start, end = self._part(len(mutated))
            match self.number(0, 6):
                case 0 if start < len(mutated):
                    mutated[start] ^= 1 << self.number(0, 7)
                case 1 if start < len(mutated):
                    mutated[start] = self.choice((0, 1, 0x7F, 0x80, 0xFF))
                case 2:
                    del mutated[start:]
                case 3:
                    del mutated[start:end]
                case 4:
                    mutated[start:start] = self.choice(BYTES)
                case 5:
                    mutated[start:start] = mutated[start:end]
                case _:
                    source = self.number(0, len(mutated))
                    mutated[start:end] = mutated[source : source + end - start]
        return bytes(mutated)

    def text(self, original: str, words: tuple[str, ...] = ()) -> bytes:
        """Lines cut, doubled and swapped, words replaced; now and then bytes."""
        lines = original.split("\n")
        for _ in range(self.number(1, 3)):
            i, j = self.number(0, len(lines) - 1), self.number(0, len(lines) - 1)
            match self.number(0, 8):
                case 0 if len(lines) > 1:
                    del lines[i]
                case 1:
                    lines.insert(j, lines[i])
                case 2:
                    lines[i], lines[j] = lines[j], lines[i]
                case 3:
                    lines.insert(i, self.choice((*words, *WORDS)))
                case 4:
                    lines[i] += self.choice((*words, *WORDS, *NUMBERS))
                case _:
                    lines[i] = self._with_other_word(lines[i], lines[j], words)
        text = "\n".join(lines).encode()
        return self.bytes(text) if self.number(0, 9) == 0 else text

    def _with_other_word(self, line: str, other: str, words: tuple[str, ...]) -> str:
        tokens, others = list(_TOKEN.finditer(line)), _TOKEN.findall(other)
        if not tokens:
            return self.choice((*words, *WORDS))
        token = self.choice(tokens)
        if " = " in line and self.number(0, 1):
            return f"{line.partition(' = ')[0]} = {self.choice((*words, *NUMBERS))}"
        kind = self.number(0, 3)
        new = self.choice(others) if kind == 0 and others else self.choice((NUMBERS, words or WORDS, WORDS)[kind % 3])
        return line[: token.start()] + new + line[token.end() :]

    def document(self, original: Any) -> Any:
        """A JSON document with values, keys and items changed somewhere."""
        for _ in range(self.number(1, 3)):
            original = self._document(original)
        return original

    def _document(self, value: Any) -> Any:
        if isinstance(value, dict) and value and self.number(0, 7):
            key = self.choice(sorted(value))
            match self.number(0, 6):
                case 0:
                    return {k: v for k, v in value.items() if k != key}
                case 1:
                    return {**value, self.choice(WORDS): value[key]}
                case 2:
                    return {**value, key: value[self.choice(sorted(value))]}
                case _:
                    return {**value, key: self._document(value[key])}
        if isinstance(value, list) and value and self.number(0, 7):
            i = self.number(0, len(value) - 1)
            match self.number(0, 4):
                case 0:
                    return [*value[:i], *value[i + 1 :]]
                case 1:
                    return [*value, value[i]]
                case _:
                    return [*value[:i], self._document(value[i]), *value[i + 1 :]]
        match self.number(0, 9):
            case 0:
                return [value]
            case 1:
                return f"@{self.choice((10, 900, 1020, 5000))}@"
            case _:
                return self.choice(VALUES)

    def json(self, original: Any) -> bytes:
        """`document` as JSON text, with lists within each other where it could not be written else, and bytes changed
        now and then."""
        text = json.dumps(self.document(original), ensure_ascii=False)
        text = _DEEP.sub(lambda match: "[" * int(match[1]) + "]" * int(match[1]), text)
        return self.text(text.replace(", ", ",\n")) if self.number(0, 4) == 0 else text.encode()


@contextmanager
def _bounded() -> Iterator[None]:
    """What takes longer or more memory than is right fails: with AssertionError, or with MemoryError."""

    def too_long(_signal: int, _frame: object) -> None:
        raise AssertionError(f"takes more than {MAX_SECONDS} s")

    earlier_limits, earlier_handler = resource.getrlimit(resource.RLIMIT_AS), signal.signal(signal.SIGALRM, too_long)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MAX_MORE_BYTES, earlier_limits[1]))
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, earlier_limits)
        signal.signal(signal.SIGALRM, earlier_handler)


@pytest.fixture
def fuzz() -> Callable[..., None]:
    """Calls a check with a mutator, for as many examples as are asked for, divided by what each costs."""

    def run(check: Callable[[Mutator], None], cost: int = 1) -> None:
        @settings(
            max_examples=max(1, EXAMPLES // cost),
            derandomize="VNNBENCH_FUZZ_EXAMPLES" not in os.environ,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def examples(data: DataObject) -> None:
            check(Mutator(data))

        examples()

    return run


@pytest.fixture
def attempt() -> Callable[..., Any]:
    """Reads a file: what the reader gives, or None where it refuses in one clear line that names the file."""

    def attempt(read: Callable[[Path], Any], path: Path, name: str | None = None) -> Any:
        with _bounded():
            try:
                return read(path)
            except KNOWN_ERRORS as error:
                message = str(error)
        assert_clear(message)
        assert (name or path.name) in message
        return None

    return attempt


def assert_clear(message: str) -> None:
    """One line that can be printed, of a length that can be read."""
    assert message.strip()
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    assert len(message) <= MAX_MESSAGE


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., int]:
    """Runs a command line: done, done with findings, or refused in one line without a traceback."""

    def run(*arguments: str | Path) -> int:
        capsys.readouterr()
        with _bounded():
            code = run_command([str(argument) for argument in arguments])
        errors = capsys.readouterr().err
        assert code in (0, 1, 2)
        assert "Traceback" not in errors
        if code == 2:
            assert [line for line in errors.splitlines() if line.startswith("Error: ")] == errors.splitlines()[-1:]
        return code

    return run


@pytest.fixture(scope="session")
def small_onnx() -> bytes:
    """A network of 3 inputs, two layers of 4 ReLUs and 2 outputs."""
    generator = np.random.default_rng(5)
    sizes = (3, 4, 4, 2)
    weights = [generator.normal(size=(m, n)).astype(np.float32) for n, m in pairwise(sizes)]
    return onnx_bytes(Network(tuple(weights), tuple(generator.normal(size=m).astype(np.float32) for m in sizes[1:])))


SMALL_VNNLIB = """; a property
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const X_2 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (>= X_0 -0.1))
(assert (<= X_0 1.0))
(assert (and (>= X_1 0) (<= X_1 1)))
(assert (<= X_2 7e-1))
(assert (>= X_2 -1.5))
(assert (or (and (>= Y_1 Y_0)) (>= (+ Y_0 (* -2.0 Y_1)) 2e-1)))
"""


@pytest.fixture(scope="session")
def small_vnnlib() -> str:
    """A property of `small_onnx`."""
    return SMALL_VNNLIB


@pytest.fixture(scope="session")
def small_library(tmp_path_factory: pytest.TempPathFactory, small_onnx: bytes) -> Path:
    """A library of one instance, made by `import`. Copy it before changing anything."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "n.onnx").write_bytes(small_onnx)
    (folder / "p.vnnlib").write_text(SMALL_VNNLIB)
    files = ["--onnx", str(folder / "n.onnx"), "--vnnlib", str(folder / "p.vnnlib")]
    assert run_command(["import", str(folder / "library"), *files]) == 0
    return folder / "library"


@pytest.fixture(scope="session")
def small_results(tmp_path_factory: pytest.TempPathFactory, small_library: Path) -> Path:
    """Two runs of HiGHS on `small_library`. Copy them before changing anything."""
    folder = tmp_path_factory.mktemp("results") / "results"
    command = ["run", str(small_library), "--results", str(folder), "--solver", "highs", "--seeds", "0,1"]
    assert run_command([*command, "--goal", "optimize"]) == 0
    return folder
