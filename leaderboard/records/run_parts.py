"""Divides a ledger's instances among several readers: what one instance's runs say of another's stays together.

A run is judged by the values that others reach on the same question or network (`views`), so whatever shares a problem
or a network, by name or by content, goes to one reader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SHARED = {
    "problem": "problem",
    "property_sha256": "property",
    "network": "network",
    "dense_network": "network",
    "network_sha256": "content",
    "dense_sha256": "content",
}
"""Columns of table `instances`, by what they name: two instances that name the same hang together."""


def divide(instances: Mapping[str, Sequence[object]], runs: Mapping[str, int], n_parts: int) -> list[list[str]]:
    """At most `n_parts` lists of instances, by hash, with about as many runs each; together all of them.

    instances: columns `instance_sha256` and `SHARED` of table `instances`. runs: how many an instance has.
    """
    digests = [str(digest) for digest in instances["instance_sha256"]]
    together: dict[int, list[str]] = {}
    for digest, root in zip(digests, _roots(instances, len(digests)), strict=True):
        together.setdefault(root, []).append(digest)
    sizes = {root: sum(runs.get(digest, 0) for digest in own) for root, own in together.items()}
    parts: list[list[str]] = [[] for _ in range(n_parts)]
    loads = [0] * n_parts
    for root in sorted(together, key=lambda root: -sizes[root]):
        least = loads.index(min(loads))
        parts[least] += together[root]
        loads[least] += sizes[root]
    return [part for part in parts if part]


def _roots(instances: Mapping[str, Sequence[object]], n_instances: int) -> list[int]:
    """For each instance the same number as for all that hang together with it (union-find)."""
    parents = list(range(n_instances))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = place = parents[parents[place]]
        return place

    first: dict[tuple[str, object], int] = {}
    for name, kind in SHARED.items():
        for place, value in enumerate(instances[name]):
            if value is not None:
                parents[root(place)] = root(first.setdefault((kind, value), place))
    return [root(place) for place in range(n_instances)]
