"""Small MILPs as Python data, so that what a solver reads and finds can be checked without any solver."""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass
from math import inf
from pathlib import Path

from vnnbench.solvers.base import Termination


@dataclass(frozen=True)
class Column:
    """A column with its cost and bounds."""

    name: str
    cost: float
    lower: float = 0.0
    upper: float = inf
    integer: bool = False


@dataclass(frozen=True)
class Row:
    """A row: the sum of its terms, by column name, is at most (L), at least (G) or equal to (E) the right side."""

    name: str
    sense: str
    right: float
    terms: dict[str, float]


@dataclass(frozen=True)
class Problem:
    """min cost.x + offset over the rows; `terminations` are right answers, `optimum` is the value if there is one."""

    name: str
    columns: list[Column]
    rows: list[Row]
    offset: float = 0.0
    terminations: tuple[Termination, ...] = (Termination.OPTIMAL,)
    optimum: float | None = None

    def mps(self) -> str:
        """Return the file in free MPS: integer columns stand between markers, the offset is minus the right side of the
        objective row.

        CBC takes lines of less than 13 characters for fixed MPS; the name of the bound set makes them longer.
        """
        lines = [f"NAME {self.name}", "ROWS", " N cost", *(f" {row.sense} {row.name}" for row in self.rows), "COLUMNS"]
        for column in self.columns:
            if column.integer:
                lines.append(f" M0{column.name} 'MARKER' 'INTORG'")
            lines.append(f" {column.name} cost {column.cost!r}")
            lines += [
                f" {column.name} {row.name} {row.terms[column.name]!r}" for row in self.rows if column.name in row.terms
            ]
            if column.integer:
                lines.append(f" M1{column.name} 'MARKER' 'INTEND'")
        lines.append("RHS")
        if self.offset:
            lines.append(f" rhs cost {-self.offset!r}")
        lines += [f" rhs {row.name} {row.right!r}" for row in self.rows if row.right]
        lines.append("BOUNDS")
        for column in self.columns:
            lines += [f" LO bound_set {column.name} {column.lower!r}"] if column.lower else []
            lines.append(
                f" PL bound_set {column.name}"
                if column.upper == inf
                else f" UP bound_set {column.name} {column.upper!r}"
            )
        return "\n".join([*lines, "ENDATA", ""])

    def write(self, folder: Path, compressed: bool = False) -> Path:
        """Write the file into a folder, and return its path."""
        path = folder / f"{self.name}.mps{'.gz' if compressed else ''}"
        data = self.mps().encode()
        path.write_bytes(gzip.compress(data, mtime=0) if compressed else data)
        return path

    def objective(self, values: dict[str, float]) -> float:
        """Return the objective at values by column name."""
        return self.offset + sum(column.cost * values[column.name] for column in self.columns)

    def violation(self, values: dict[str, float]) -> float:
        """Return the largest violation of a row, a bound or integrality at values by column name."""
        worst = 0.0
        for column in self.columns:
            value = values[column.name]
            worst = max(worst, column.lower - value, value - column.upper)
            worst = max(worst, abs(value - round(value)) if column.integer else 0.0)
        for row in self.rows:
            excess = sum(weight * values[name] for name, weight in row.terms.items()) - row.right
            worst = max(worst, {"L": excess, "G": -excess, "E": abs(excess)}[row.sense])
        return worst


def binary(name: str, cost: float) -> Column:
    """Return an integer column from 0 to 1."""
    return Column(name, cost, 0.0, 1.0, integer=True)


def market_split(name: str, rows: int, columns: int, slack: bool) -> Problem:
    """Return Cornuejols and Dawande's market split: sum_j a_ij x_j = floor(sum_j a_ij / 2), hard for branch and bound.

    With slack, the total deviation is minimized: easy to satisfy, hard to prove. Without, no solver finds a solution.
    """
    random_ = random.Random(7)  # noqa: S311
    weights = [[random_.randint(1, 99) for _ in range(columns)] for _ in range(rows)]
    over = [Column(f"over{i}", 1.0) for i in range(rows)] if slack else []
    under = [Column(f"under{i}", 1.0) for i in range(rows)] if slack else []
    return Problem(
        name,
        [*over, *under, *(binary(f"x{j}", 0.0) for j in range(columns))],
        [
            Row(
                f"r{i}",
                "E",
                float(sum(weights[i]) // 2),
                {f"x{j}": float(weight) for j, weight in enumerate(weights[i])}
                | ({f"over{i}": -1.0, f"under{i}": 1.0} if slack else {}),
            )
            for i in range(rows)
        ],
        terminations=(),
    )
