"""Measures as the ledger stores them, and texts of other origins, which are not measures."""

from __future__ import annotations

import json

import pytest

from vnnbench.leaderboard.records.measures import MAX_MEASURES, measures_json, parse_measures


def test_measures_are_read_back_bit_by_bit_with_sorted_keys():
    measures = {"weights": 3, "test_accuracy": 1 / 3, "errors": 0.0}
    text = measures_json(measures)
    assert text is not None and text.index("errors") < text.index("test_accuracy") < text.index("weights")
    assert parse_measures(text) == measures


def test_a_family_without_measures_stores_null():
    assert measures_json({}) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "null", "1", "[" * 3000, '{"a": 1}', '{"a": true}', '{"a": "1"}', '{"a": [1.0]}', '{"a":1.0}',
        '{"a": NaN}', '{"a": Infinity}', '{"a": 1e301}', '{"b": 1.0, "a": 1.0}', '{"a": 1.0, "a": 1.0}',
        '{"": 1.0}', '{"<b>": 1.0}', '{"A": 1.0}', json.dumps({"a" * 41: 1.0}),
        json.dumps({f"a{i:02}": 1.0 for i in range(MAX_MEASURES + 1)}), json.dumps({"a": 1.0}) + " " * 10_000,
    ],
)  # fmt: skip
def test_any_other_text_holds_no_measures(text):
    assert parse_measures(text) is None
