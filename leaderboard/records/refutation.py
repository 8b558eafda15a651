"""The conditions, in SQL, under which a run's claim is refuted, and the fault that follows, for the view `faults`.

They are about one attempt at a run, under the names of that view's joined tables: i the instance, q its question, r the
attempt, j its newest judgement, w the best witness, l the lifting of a witness into the claim's file, v the planted
bound, c the proven bound. All values and bounds are in the sense of the problem's value. `bench/README.md`, section
"How an answer is judged", explains the rules.
"""
# ruff: noqa: S608 (the SQL is made of constants of this module only)

from __future__ import annotations

from vnnbench.common.tolerances import (
    BOUND_TOLERANCE,
    CLAIM_TOLERANCE,
    MAX_REACH,
    QUIET_BOUND_TOLERANCE,
    QUIET_TOLERANCE,
    ROW_TOLERANCE,
)

CENTRE = "the centre of the set"
"""The name of the witness that every run has from the start."""
PLANTED = "the planted counterexample"
"""The name of a witness from a sealed file."""
PROVEN = "the proven answer"
"""The name of a witness from a proven answer."""

# If the value is a column of its own, as for several targets or a distance, a solution may claim less than its input
# reaches, never more; else the two are equal.
_REPLAY_GAP = """
    CASE WHEN i.value_is_column
    THEN r.claimed_value - j.replayed_value ELSE abs(r.claimed_value - j.replayed_value) END
"""

# 0 if the numbers of a file are ordinary, as in nearly all files.
_REACH = f"CASE WHEN i.tolerance_reach > {MAX_REACH} THEN i.tolerance_reach ELSE 0.0 END"
_REPLAY_REACH = "coalesce(i.tolerance_reach * max(1.0, j.row_violation / 1e-6), 0.0)"
_CLAIMED_SIZE = "max(1.0, abs(r.claimed_value))"
# A difference between the claim and the replay that tolerances do not explain.
_UNEXPLAINED = f"""
    j.file_value IS NOT NULL AND {_REPLAY_GAP} > max({CLAIM_TOLERANCE} * {_CLAIMED_SIZE}, {_REPLAY_REACH})
"""
_ROW_ALLOWANCE = f"max({ROW_TOLERANCE}, coalesce(1e-6 * i.big_m_max, 0.0))"


def _refuted(tolerance: float, value: str = "w.value", reach: str = _REACH) -> str:
    """Return the condition that a value of the instance's network is beyond the run's bound."""
    return f"{value} > r.bound + {tolerance} * max(1.0, abs(w.value)) + i.constant_rounding + {reach}"


# A bound below the witness, or `infeasible` although there is one.
REFUTED = f"({_refuted(BOUND_TOLERANCE)} OR (r.termination = 'infeasible' AND w.value IS NOT NULL))"
_CLAIM = """
    CASE WHEN r.termination = 'infeasible' THEN ' claims infeasible'
    WHEN r.dual_bound IS NULL THEN ' claims the optimum ' || r.bound ELSE ' claims the bound ' || r.bound END
"""
# The file decides about a claim on the file: if it excludes the witness, or gives it a value below the bound, the
# solver may be right about the file.
_EXCLUDED = f"l.file_violation > {ROW_TOLERANCE}"
_UNDERVALUED = f"(r.termination IS NOT 'infeasible' AND NOT {_refuted(BOUND_TOLERANCE, 'l.file_value')})"
# The lifting of the witness itself. A witness from a sealed file is not lifted, because the ledger would reveal the
# planted answer, and neither is one without a run: then it is the lifting of the best other one against the same claim.
LIFTING = f"""
    SELECT o.rowid FROM liftings o WHERE o.instance_sha256 = i.instance_sha256
    AND ((o.witness = w.run AND o.witness_value = w.value)
         OR (w.run IN ('{PLANTED}', '{PROVEN}')
             AND (r.termination = 'infeasible' OR {_refuted(BOUND_TOLERANCE, "o.witness_value")})))
    ORDER BY o.witness_value DESC LIMIT 1
"""
# For the network of the proof; the tolerance is that between a claim and the replay of its solution.
_OVERCLAIMED = f"""
    (q.network = q.dense_network AND r.claimed_value - c.upper > i.constant_rounding + max(
        {CLAIM_TOLERANCE} * {_CLAIMED_SIZE},
        coalesce(i.tolerance_reach * max(1.0, coalesce(j.row_violation, 0.0) / 1e-6), 0.0)))
"""

FINDING = f"""\
    CASE
    WHEN j.best_exact_value > v.bound + {QUIET_BOUND_TOLERANCE} * max(1.0, abs(v.bound))
        THEN 'formulation:' || r.run || ' has the value ' || j.best_exact_value || ', but by a planted answer '
            || 'no value exceeds ' || v.bound || ': judge or construction is broken'
    WHEN j.best_exact_value > c.upper + {QUIET_BOUND_TOLERANCE} * max(1.0, abs(c.upper))
        THEN 'formulation:' || r.run || ' has the value ' || j.best_exact_value || ', but proof ' || c.proof
            || ' shows that no value exceeds ' || c.upper || ': judge or proof is broken'
    WHEN {REFUTED} AND NOT coalesce({_EXCLUDED}, 0) AND NOT coalesce({_UNDERVALUED}, 0)
        THEN 'solver:' || r.run || {_CLAIM} || ', refuted by ' || w.value || ' from ' || w.run
    WHEN r.termination = 'unbounded'
        THEN 'solver:' || r.run || ' claims unbounded, but the set is bounded'
    WHEN r.claimed_value > r.dual_bound + {CLAIM_TOLERANCE} * {_CLAIMED_SIZE}
        THEN 'solver:claims the value ' || r.claimed_value || ', above its own bound ' || r.dual_bound
    WHEN abs(r.claimed_value - j.file_value) > {CLAIM_TOLERANCE} * {_CLAIMED_SIZE}
        THEN 'solver:claims the value ' || r.claimed_value || ', but its columns give ' || j.file_value
            || ' in the file'
    WHEN j.row_violation > {_ROW_ALLOWANCE}
        THEN 'solver:final columns violate the file by ' || j.row_violation
    WHEN {REFUTED} AND {_EXCLUDED}
        THEN 'formulation:the file excludes the point of ' || l.witness || ' with the value ' || l.witness_value
            || ', violated by ' || l.file_violation || ';' || ' ' || r.run || {_CLAIM}
    WHEN {REFUTED}
        THEN 'formulation:the file gives the point of ' || l.witness || ' the value ' || l.file_value
            || ', but its network gives ' || l.witness_value || '; ' || r.run || {_CLAIM}
    WHEN j.row_violation > {ROW_TOLERANCE} AND {_UNEXPLAINED}
        THEN 'solver:final columns violate the file by ' || j.row_violation || ' and claim the value '
            || r.claimed_value || ', but the network gives ' || j.replayed_value
    WHEN j.row_violation IS NOT NULL AND {_UNEXPLAINED}
        THEN 'formulation:the file is satisfied with the value ' || r.claimed_value || ', but the network gives '
            || j.replayed_value
    WHEN {_OVERCLAIMED}
        THEN 'solver:claims the value ' || r.claimed_value || ', but proof ' || c.proof
            || ' shows that no value exceeds ' || c.upper
    WHEN {_refuted(QUIET_BOUND_TOLERANCE, reach="0.0")}
        THEN 'tolerance:bound ' || r.bound || ' exceeded within tolerance by ' || w.value || ' from ' || w.run
    WHEN j.row_violation > {QUIET_TOLERANCE}
        THEN 'tolerance:final columns violate the file by ' || j.row_violation
    WHEN j.raw_violation > {QUIET_TOLERANCE}
        THEN 'tolerance:best candidate is outside the set by ' || j.raw_violation
    WHEN r.claimed_value > r.dual_bound + {QUIET_TOLERANCE} * {_CLAIMED_SIZE}
        THEN 'tolerance:claims the value ' || r.claimed_value || ', above its own bound ' || r.dual_bound
    WHEN abs(r.claimed_value - j.file_value) > {QUIET_TOLERANCE} * {_CLAIMED_SIZE}
        THEN 'tolerance:claims ' || r.claimed_value || ', but its columns give ' || j.file_value || ' in the file'
    WHEN {_REPLAY_GAP} > {QUIET_TOLERANCE} * {_CLAIMED_SIZE}
        THEN 'tolerance:claims ' || r.claimed_value || ', but its network gives ' || j.replayed_value
    ELSE 'none:'
"""
"""The fault and the reason, separated by a colon, without the END: the first condition that holds decides."""
