"""Results of queries by column: what is cut out of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from vnnbench.leaderboard.records.query_columns import split_columns


def test_every_part_has_its_rows_in_their_order_and_one_without_rows_is_empty():
    rows = pd.DataFrame({"run": ["a", "b", "c", "d"], "seconds": [4.0, 3.0, 2.0, np.nan]}, index=[7, 5, 3, 1])
    parts = list(split_columns(rows, np.array([2, 0, 2, 0]), 3))
    assert [part["run"].tolist() for part in parts] == [["b", "d"], [], ["a", "c"]]
    assert parts[2]["seconds"].tolist() == [4.0, 2.0]
