"""The division of a ledger's instances among readers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vnnbench.leaderboard.records.parallel import SHARED, divide


def table(*rows: dict[str, object]) -> dict[str, list[object]]:
    """Return the columns of instances named a, b, ...; what a row does not say is its own."""
    full = [{name: f"{name} of {place}" for name in SHARED} | row for place, row in enumerate(rows)]
    return {
        "instance_sha256": [chr(ord("a") + place) for place in range(len(rows))],
        **{name: [row[name] for row in full] for name in SHARED},
    }


def test_unrelated_instances_are_divided_by_the_number_of_their_runs():
    parts = divide(table({}, {}, {}), {"a": 10, "b": 4, "c": 5}, 2)
    assert sorted(map(sorted, parts)) == [["a"], ["b", "c"]]


def test_same_problem_same_network_and_same_content_stay_together():
    instances = table(
        {"problem": "p", "network": "n"}, {"problem": "p"}, {"dense_network": "n", "property_sha256": "x"},
        {"property_sha256": "x", "dense_sha256": "y"}, {"network_sha256": "y"}, {},
    )  # fmt: skip
    parts = divide(instances, dict.fromkeys("abcdef", 1), 2)
    assert sorted(map(sorted, parts)) == [["a", "b", "c", "d", "e"], ["f"]]


def test_unknown_contents_keep_no_instances_together():
    unknown = {name: None for name in SHARED if name.endswith("sha256")}
    assert len(divide(table(unknown, unknown), {"a": 1, "b": 1}, 2)) == 2


def test_a_problem_and_a_network_of_one_name_are_not_the_same():
    assert len(divide(table({"problem": "s0"}, {"network": "s0"}), {"a": 1, "b": 1}, 2)) == 2


@given(
    rows=st.lists(
        st.fixed_dictionaries({name: st.sampled_from("uvwxyz") for name in ("problem", "network")}), max_size=9
    ),
    n_parts=st.integers(1, 4),
)
def test_every_instance_is_in_one_part_and_none_is_empty(rows, n_parts):
    instances = table(*rows)
    parts = divide(instances, {}, n_parts)
    assert sorted(digest for part in parts for digest in part) == instances["instance_sha256"]
    assert all(parts) and len(parts) <= n_parts
