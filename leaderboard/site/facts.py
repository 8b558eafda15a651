"""Facts about an instance, a run and a machine, as names and values, the most wanted first."""

from __future__ import annotations

import json
import shlex
from typing import Any

from vnnbench.leaderboard.records.measures import parse_measures
from vnnbench.leaderboard.records.processors import CPU
from vnnbench.leaderboard.records.proven import Proven
from vnnbench.leaderboard.site.content import InstancePage, Record
from vnnbench.leaderboard.site.evidence import InstanceEvidence, Outputs
from vnnbench.leaderboard.site.rendering import mebibytes
from vnnbench.leaderboard.site.run_tables import network_text
from vnnbench.leaderboard.text import format_number, with_minus


def classes(evidence: InstanceEvidence | None) -> list[dict[str, Any]]:
    """Return y_k - y_source of every class, at the clean input and at the best point, and mark the winner of each."""
    if evidence is None or evidence.clean_outputs is None:
        return []
    clean, best = evidence.clean_outputs, evidence.best.outputs if evidence.best else None
    any_other = len(evidence.targets) == len(clean.exact) - 1
    return [
        {
            "label": k,
            "role": "source" if k == evidence.source else "target" if k in evidence.targets and not any_other else "",
            "clean": (clean.exact[k], clean.float32[k]),
            "best": (best.exact[k], best.float32[k]) if best else None,
            "wins_clean": _winner(clean) == k,
            "wins_best": best is not None and _winner(best) == k,
        }
        for k in range(len(clean.exact))
    ]


def predicted_class(evidence: InstanceEvidence | None) -> int | None:
    """Return the class that the dense network predicts at the best point; None where it predicts none."""
    if evidence is None or evidence.best is None or evidence.best.outputs is None:
        return None
    return _winner(evidence.best.outputs)


def third_class(evidence: InstanceEvidence | None) -> int | None:
    """Return the class predicted at the best point where it is neither the source nor the one target: the goal speaks
    of these two outputs alone, so a further one may be larger than both."""
    predicted = predicted_class(evidence)
    if evidence is None or len(evidence.targets) != 1 or predicted in (evidence.source, *evidence.targets):
        return None
    return predicted


def _winner(outputs: Outputs) -> int:
    return outputs.exact.index(max(outputs.exact))


def instance_facts(page: InstancePage) -> list[tuple[str, object]]:
    """Return the facts in the catalogue, in words, without those that it lacks."""
    facts = page.facts
    size = facts["depth"] if facts["width"] is None else f"{facts['depth']} x {facts['width']}"
    share = facts["unstable"], sum(facts[name] or 0 for name in ("stable_active", "stable_inactive", "unstable"))
    accuracy, dense = facts["accuracy"], facts["dense_accuracy"]
    shown: list[tuple[str, object]] = [
        ("problem", facts["problem"]),
        ("family", facts["family"]),
        ("data set", facts["dataset"]),
        ("variant", facts["variant"]),
        ("training samples", facts["samples"]),
        ("features", facts["features"]),
        ("image", facts["sample"]),
        ("input side", facts["input_side"]),
        ("hidden layers", size),
        ("network", facts["network"]),
        ("dense network", facts["dense_network"] if facts["network"] != facts["dense_network"] else None),
        ("pruning", None if facts["dense_network"] is None else network_text(facts)),
        ("zero weights", None if facts["zero_share"] is None else f"{100 * facts['zero_share']:.1f} %"),
        ("accuracy", None if accuracy is None else f"{100 * accuracy:.1f} %"),
        ("dense accuracy", f"{100 * dense:.1f} %" if dense is not None and dense != accuracy else None),
        ("norm", {"l1": "L1", "linf": "L-infinity"}.get(facts["norm"], facts["norm"])),
        ("radius", None if facts["radius"] is None else f"{facts['radius']:.6g}"),
        ("source class", facts["source"]),
        ("target class", facts["target"]),
        ("threshold", None if facts["threshold"] is None else f"{facts['threshold']:g}"),
        (
            _known_beforehand(facts),
            None if facts["centre_value"] is None else with_minus(f"{facts['centre_value']:.6g}"),
        ),
        ("formulation", facts["formulation"]),
        ("bounds", facts["bounds"]),
        ("rows", facts["rows"]),
        ("equality rows", facts["equality_rows"]),
        ("columns", facts["columns"]),
        ("nonzeros", facts["nonzeros"]),
        ("binaries", facts["binaries"]),
        ("unstable neurons", f"{share[0]} of {share[1]}" if share[1] else None),
        ("coefficients", _range(facts["coefficient_min"], facts["coefficient_max"])),
        ("model", facts["model"]),
        ("sha256", facts["instance_sha256"]),
    ]
    return [(name, value) for name, value in shown if value is not None]


def proof_facts(proven: Proven) -> list[tuple[str, object]]:
    """Return what a checked proof shows of an instance's problem, and what the check took."""
    shown = [
        ("answer", proven.answer.value),
        ("value reached", _digits(proven.lower)),
        ("no value exceeds", _digits(proven.upper)),
        ("size of the proof", f"{proven.n_bytes / 1e3:.1f} kB"),
        ("leaves", proven.leaves or None),
        ("checked in", f"{proven.seconds:.3g} s"),
        ("sha256", proven.proof),
    ]
    return [(name, value) for name, value in shown if value is not None]


def verify_command(problem: str) -> str:
    """Return the command that checks the proof of a problem's answer, quoted for a shell."""
    return f"vnnbench verify-proof {shlex.quote(f'LIBRARY/proofs/{problem}.npz')} --library LIBRARY"


def _known_beforehand(facts: Record) -> str:
    """Return the name of the value that an instance has without a run."""
    if facts["sample"] is not None:
        return "value at the clean input"
    return "value known beforehand" if facts["norm"] is None else "value at the centre"


def _range(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"{low:.2g} to {high:.2g}"


def run_facts(run: Record) -> list[tuple[str, object]]:
    """Return everything in the row of a run, the most wanted first, without what was not recorded."""
    on_networks = run["dense_network"] is not None
    measured = parse_measures(run["measures"]) or {} if run["measures"] else {}
    shown: list[tuple[str, object]] = [
        ("verdict", run["verdict"]),
        ("evidence", run["evidence"]),
        ("fault", run["fault"]),
        ("reason", run["fault_reason"]),
        ("termination", run["termination"]),
        ("raw status", run["raw_status"]),
        ("message", run["message"] or None),
        ("ended by", run["ended_by"]),
        ("claimed value", _digits(run["claimed_value"])),
        ("dual bound", _digits(run["dual_bound"])),
        ("exact value, dense network" if on_networks else "exact value", _digits(run["best_exact_value"])),
        *((name.replace("_", " "), _digits(value)) for name, value in measured.items()),
        ("float32 value, ONNX Runtime" if on_networks else "value by ONNX Runtime", _digits(run["float32_value"])),
        ("beats all classes in float32", {0: "no", 1: "yes", None: None}.get(run["float32_beats_all"])),
        ("replayed on its own network" if on_networks else "replayed", _digits(run["replayed_value"])),
        ("outside the set by, before repair", _digits(run["raw_violation"])),
        ("first success", _seconds(run["first_success_seconds"])),
        ("wall clock", _seconds(run["wall_seconds"])),
        ("reading", _seconds(run["read_seconds"])),
        ("processor time", _seconds(run["cpu_seconds"])),
        ("judging", _seconds(run["judge_seconds"])),
        ("peak memory", None if run["peak_memory_bytes"] is None else mebibytes(run["peak_memory_bytes"])),
        ("nodes", run["nodes"]),
        ("incumbents", run["incumbents"]),
        ("seed", run["seed"]),
        ("permutation", run["permutation"]),
        ("attempt", f"{run['attempt']} of {run['attempts']}"),
        ("goal", run["goal"]),
        ("limits", f"{run['time_limit_seconds']:g} s, {mebibytes(run['memory_limit_bytes'])}"),
        ("limits enforced by", run["enforcement"]),
        ("usage measured by", run["counted"]),
        ("disturbed", {0: "no", 1: "yes", None: None}.get(run["disturbed"])),
        ("CPU", run[CPU]),
        ("machine", run["machine"]),
        ("started", run["started_at"]),
        ("files", f"logs/{run['run']}.log.gz, candidates/{run['run']}.npz"),
    ]  # fmt: skip
    return [(name, value) for name, value in shown if value is not None]


def _digits(value: float | None) -> str | None:
    return None if value is None else with_minus(f"{value:.9g}")


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{format_number(value)} s"


def minute(started_at: str | None) -> str | None:
    """Return a time in ISO 8601 to the minute, in UTC."""
    return None if started_at is None else started_at[:16].replace("T", " ")


def packages(text: str) -> list[tuple[str, str]]:
    """Return the names and versions in a JSON object, sorted; none where the text is not one."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return sorted((str(name), str(version)) for name, version in found.items()) if isinstance(found, dict) else []
