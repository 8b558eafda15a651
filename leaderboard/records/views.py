"""The views of a ledger, in SQL, which derive verdict, evidence and fault of each run from the stored facts.

The view `runs` derives them, so that a witness found by one run can refute the claim of another without rewriting
either. `refutation` has the conditions. All values and bounds are in the sense of the problem's value, value =
-objective of the file: see `bench/README.md`, section "Words".
"""
# ruff: noqa: S608 (the SQL is made of constants of this module and of `refutation`)

from __future__ import annotations

from vnnbench.leaderboard.records.refutation import CENTRE, FINDING, LIFTING, PLANTED, PROVEN, REFUTED
from vnnbench.leaderboard.words import SUBMITTED

DISTURBED_SECONDS = 0.1
DISTURBED_SHARE = 0.05
"""The processor time of other processes on a run's cores above which it counts as disturbed: this number of seconds,
plus this share of the run's wall-clock seconds times its threads."""
STALLED_SECONDS = 0.5
"""The longest time for which the harness may be stalled during a run: times of arrivals in between are too late."""

# NULL if it was not recorded. A run without cores of its own shares them with other runs of its plan.
_DISTURBED = f"""
    (foreign_seconds > {DISTURBED_SECONDS} + {DISTURBED_SHARE} * wall_seconds * threads OR swapped_bytes > 0
     OR cores = '' OR coalesce(stalled_seconds, 0.0) > {STALLED_SECONDS})
"""

STOPPING_SECONDS = 60.0
"""No run outlasts its limit by more, but for stalls: a solver has 5 s to stop, and candidates are judged meanwhile."""

# Times that no run can have, whatever the solver and the machine did; 0 where they cannot be excluded, as in runs of
# older versions, which did not record stalls. The harness can be stalled at the limit and again at the end. The answer
# that ends a run comes at its end at the latest; judged by another version, as merged runs are, it may be later.
_IMPOSSIBLE_TIMES = f"""
    coalesce(time_limit_seconds <= 0 OR wall_seconds < 0 OR first_success_seconds < 0
        OR wall_seconds > time_limit_seconds + {STOPPING_SECONDS} + 2 * stalled_seconds
        OR (first_success_seconds > wall_seconds AND machine NOT GLOB '{SUBMITTED}*'
            AND (SELECT count(*) FROM judgements WHERE judgements.run = chosen.run) = 1), 0)
"""

# Without an allowed gap, a claimed optimum bounds every value like a dual bound; with a gap it does not.
_WITHOUT_GAP = """
    NOT EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid(settings) THEN settings ELSE '{"gap": 1}' END)
                WHERE key LIKE '%gap%')
"""


# The newest judgement is looked up by index: searching a list of all newest ones per run takes 6 s for 5,000 runs.
_IS_NEWEST = "j.judgement = (SELECT max(newest.judgement) FROM judgements newest WHERE newest.run = r.run)"

_OF_INSTANCE = (
    "instance", "problem", "family", "threshold", "strict", "network", "dense_network", "constant_rounding",
    "confirmed_verdict", "excluded_verdict",
)  # fmt: skip
_OF_RESULT = (
    "run", "instance_sha256", "solver", "solver_version", "settings", "seed", "threads", "time_limit_seconds",
    "memory_limit_bytes", "goal", "termination", "raw_status", "ended_by", "claimed_value", "dual_bound",
    "wall_seconds", "read_seconds", "cpu_seconds", "peak_memory_bytes", "nodes", "incumbents", "machine", "enforcement",
    "started_at", "message", "attempt", "permutation", "cores", "foreign_seconds", "swapped_bytes", "stalled_seconds",
    "disturbed", "counted", "dual_steps", "ranked", "submission",
)  # fmt: skip
_OF_JUDGEMENT = (
    "confirmed", "evidence", "replayed_value", "best_exact_value", "float32_value", "raw_violation", "judge_seconds",
    "first_success_seconds", "float32_beats_all", "primal_steps", "as_given_violation", "repaired_violation",
    "own_answers", "transferred_answers", "measures",
)  # fmt: skip
_FACTS = ", ".join(
    f"{table}.{name}"
    for table, names in (("i", _OF_INSTANCE), ("r", _OF_RESULT), ("j", _OF_JUDGEMENT))
    for name in names
)

_ATTEMPTS = f"""
SELECT *, CASE WHEN attempt > 1 THEN substr(run, 1, length(run) - length('-' || attempt)) ELSE run END AS plan_key,
    {_DISTURBED} AS disturbed,
    coalesce(dual_bound, CASE WHEN termination = 'optimal' AND {_WITHOUT_GAP} THEN claimed_value END) AS bound
FROM results
"""

# The instances come first in every join, so that REFUTED_CLAIMS_OF_PROBLEM reads one problem's runs alone.
VIEWS = {
    "latest_judgements": f"""
SELECT j.* FROM results r JOIN judgements j ON {_IS_NEWEST}
""",
    # The content that a name stands for, if all rows that recorded it agree; it identifies older rows with names only.
    "known_contents": """
SELECT name, min(sha256) AS sha256 FROM (
    SELECT 'problem ' || problem AS name, property_sha256 AS sha256 FROM instances
    UNION SELECT 'network ' || network, network_sha256 FROM instances
    UNION SELECT 'network ' || dense_network, dense_sha256 FROM instances
) WHERE sha256 IS NOT NULL GROUP BY name HAVING count(*) = 1
""",
    # Two claims have the same question if the contents of property and network agree, whatever their names. Without
    # networks the property alone decides.
    "questions": """
SELECT i.instance_sha256, coalesce(i.property_sha256, p.sha256, i.problem) AS question,
    coalesce(i.network_sha256, n.sha256, i.network, '') AS network,
    coalesce(i.dense_sha256, d.sha256, i.dense_network, '') AS dense_network, i.centre_value
FROM instances i
LEFT JOIN known_contents p ON p.name = 'problem ' || i.problem
LEFT JOIN known_contents n ON n.name = 'network ' || i.network
LEFT JOIN known_contents d ON d.name = 'network ' || i.dense_network
""",
    # Answers known by construction. They are sealed beside the ledger: readers put them in place of this view.
    # value: one that the dense network reaches (adversarial), or does not exceed (robust).
    "planted": """
SELECT NULL AS instance_sha256, NULL AS answer, NULL AS value WHERE 0
""",
    "planted_bounds": """
SELECT q.question, q.dense_network AS network, min(p.value) AS bound
FROM planted p JOIN questions q USING (instance_sha256) WHERE p.answer = 'robust' GROUP BY 1, 2
""",
    # Answers with a checked proof, which readers put in place of this view. lower: a value that the dense network
    # reaches. upper: one that it does not exceed. answer: adversarial, robust, value or open.
    "proven_answers": """
SELECT NULL AS instance_sha256, NULL AS answer, NULL AS lower, NULL AS upper, NULL AS proof WHERE 0
""",
    # The least upper bound, and its proof: SQLite takes other columns from the row with the minimum. Of several proofs
    # one may show a bound, and another with the same bound the answer.
    "proven_bounds": """
SELECT q.question, q.dense_network AS network, min(a.upper) AS upper, sum(a.answer = 'robust') > 0 AS certified,
    substr(a.proof, 1, 16) AS proof
FROM proven_answers a JOIN questions q USING (instance_sha256) WHERE a.upper IS NOT NULL GROUP BY 1, 2
""",
    # The best values that an instance's runs reach, on its own network and on the dense one, and their least claimed
    # bound. One pass over the runs, without sorting: a ledger may have a million.
    "reached": f"""
SELECT i.instance_sha256, max(j.own_value) AS own_value, max(j.best_exact_value) AS dense_value,
    min(CASE WHEN r.termination = 'infeasible' THEN -1e999 WHEN r.dual_bound IS NOT NULL THEN r.dual_bound
        WHEN r.termination = 'optimal' THEN r.claimed_value END
        + CASE WHEN r.termination IS NOT 'infeasible' THEN i.constant_rounding ELSE 0.0 END) AS claim
FROM instances i CROSS JOIN results r USING (instance_sha256) LEFT JOIN judgements j ON {_IS_NEWEST}
GROUP BY i.rowid
""",
    # A witness is a value that some point of the input set provably reaches on a network. It refutes any bound below it
    # that was claimed for the same property on the same network, in any formulation. The run that found it is looked up
    # only if a run claims less, because that takes a second pass over the runs. The last GROUP BY does not merge rows:
    # it makes SQLite compute all witnesses once and look them up by an index.
    "witnesses": f"""
WITH found AS MATERIALIZED (SELECT * FROM questions LEFT JOIN reached USING (instance_sha256)),
best AS (
    SELECT question, network, max(value) AS value, max(centre) AS centre, max(planted) AS planted, min(claim) AS claim
    FROM (
        SELECT question, network, own_value AS value, NULL AS centre, NULL AS planted, claim FROM found
        UNION ALL
        SELECT question, dense_network, dense_value, NULL, NULL, NULL FROM found
        UNION ALL
        SELECT question, network, centre_value, centre_value, NULL, NULL FROM found
        UNION ALL
        SELECT q.question, q.dense_network, p.value, NULL, p.value, NULL
        FROM planted p JOIN questions q USING (instance_sha256) WHERE p.answer = 'adversarial'
        UNION ALL
        SELECT q.question, q.dense_network, a.lower, NULL, NULL, NULL
        FROM proven_answers a JOIN questions q USING (instance_sha256)
    ) GROUP BY question, network
)
SELECT question, network, value, CASE WHEN value > claim THEN coalesce(
    (SELECT min(j.run) FROM found f CROSS JOIN results r USING (instance_sha256) CROSS JOIN judgements j ON {_IS_NEWEST}
     WHERE f.question = best.question
     AND ((f.network = best.network AND f.own_value = value AND j.own_value = value)
          OR (f.dense_network = best.network AND f.dense_value = value AND j.best_exact_value = value))),
    CASE value WHEN centre THEN '{CENTRE}' WHEN planted THEN '{PLANTED}' ELSE '{PROVEN}' END) END AS run
FROM best WHERE value IS NOT NULL
GROUP BY question, network
""",
    "attempts": _ATTEMPTS,
    "retried": """
SELECT instance_sha256, plan_key FROM attempts WHERE attempt > 1
""",
    # Every attempt with all columns that `runs` needs, so that each row of the ledger is looked up once. An instance's
    # facts are looked up before its runs, which are found by their index; else SQLite would build an index of all runs
    # for each question.
    "faults": f"""
SELECT {_FACTS}, r.plan_key, w.run AS witness, w.value AS witness_value, l.lifted_at, {REFUTED} AS refuted,
    c.certified,
{FINDING}    END AS finding
FROM instances i
LEFT JOIN questions q USING (instance_sha256)
LEFT JOIN witnesses w ON w.question = q.question AND w.network = q.network
LEFT JOIN planted_bounds v ON v.question = q.question AND v.network = q.dense_network
LEFT JOIN proven_bounds c ON c.question = q.question AND c.network = q.dense_network
CROSS JOIN ({_ATTEMPTS} INDEXED BY results_instance) r USING (instance_sha256)
LEFT JOIN judgements j ON {_IS_NEWEST}
LEFT JOIN liftings l ON l.rowid = CASE WHEN {REFUTED} THEN ({LIFTING}) END
""",
}

_IS_WRONG = "(finding LIKE 'solver:%' OR finding LIKE 'formulation:%')"

# A candidate was confirmed; without a threshold every value of the dense network is.
_CONFIRMED = "(CASE WHEN threshold IS NULL THEN best_exact_value IS NOT NULL ELSE confirmed = 1 END)"

# A dense run's dual bound excludes a counterexample. A surrogate's bound never does, nor does a refuted claim: refuted
# by a fault of this run, or by a counterexample of any run, even if the bound is off by no more than the tolerance.
_RULED_OUT = f"""(excluded_verdict IS NOT NULL AND network IS dense_network AND dual_bound IS NOT NULL
        AND (dual_bound + constant_rounding < threshold OR (strict = 1 AND dual_bound + constant_rounding <= threshold))
        AND (witness_value IS NULL OR witness_value < threshold OR (strict = 1 AND witness_value <= threshold))
        AND NOT {_IS_WRONG})"""

# This also matches a run with the same plan key on another instance with retries: alone in its partition, its row is
# unchanged. With a condition on pairs SQLite would search all of them for a null, for every run that is not among them.
_RETRIED = (
    """(instance_sha256 IN (SELECT instance_sha256 FROM retried) AND plan_key IN (SELECT plan_key FROM retried))"""
)

# One row per plan key: a wrong attempt if there is one, so that a retry cannot hide it, else the newest. Only the few
# with several attempts are sorted.
VIEWS["runs"] = f"""
SELECT run, instance, instance_sha256, problem, family, solver, solver_version, settings, seed,
    threads, time_limit_seconds, memory_limit_bytes, goal, termination, raw_status, ended_by,
    claimed_value, dual_bound, replayed_value, best_exact_value, float32_value, raw_violation,
    wall_seconds, read_seconds, judge_seconds, cpu_seconds, peak_memory_bytes, nodes, incumbents,
    first_success_seconds,
    CASE
    WHEN {_CONFIRMED} THEN confirmed_verdict
    WHEN {_RULED_OUT} THEN excluded_verdict
    ELSE 'unknown'
    END AS verdict,
    CASE
    WHEN {_CONFIRMED} THEN evidence
    WHEN {_RULED_OUT} AND certified THEN 'certificate'
    WHEN {_RULED_OUT} THEN 'claimed'
    ELSE 'none'
    END AS evidence,
    substr(finding, 1, instr(finding, ':') - 1) AS fault,
    nullif(substr(finding, instr(finding, ':') + 1), '') AS fault_reason,
    machine, submission, enforcement, counted, started_at, message, float32_beats_all,
    attempt, attempts, permutation, cores, foreign_seconds, swapped_bytes, stalled_seconds, disturbed,
    {_IMPOSSIBLE_TIMES} AS impossible_times,
    dual_steps, primal_steps, as_given_violation, repaired_violation, own_answers, transferred_answers, measures,
    ranked
FROM (
    SELECT *, 1 AS attempts, 1 AS place FROM faults WHERE NOT {_RETRIED}
    UNION ALL
    SELECT *, count(*) OVER same AS attempts,
           row_number() OVER (same ORDER BY {_IS_WRONG} DESC, attempt DESC) AS place
    FROM faults WHERE {_RETRIED}
    WINDOW same AS (PARTITION BY instance_sha256, plan_key)
) AS chosen
WHERE place = 1
"""

_SAME_QUESTIONS = """
SELECT rowid, * FROM main.instances WHERE problem IN (
    SELECT others.problem FROM main.instances others JOIN main.instances own
    ON others.problem = own.problem OR (others.property_sha256 = own.property_sha256
        AND (others.network IS NULL OR others.network_sha256 IN (own.network_sha256, own.dense_sha256)
             OR others.dense_sha256 IN (own.network_sha256, own.dense_sha256)))
    WHERE own.instance_sha256 = ?)
"""

REFUTED_CLAIMS = (
    "SELECT DISTINCT instance_sha256, witness, witness_value FROM faults WHERE refuted AND lifted_at IS NULL"
)
"""The claims that a witness refutes and whose file the witness has not been lifted into yet."""

# The same rules as in the views, for the runs of one problem only: a ledger may have 100,000 of others.
REFUTED_CLAIMS_OF_PROBLEM = (
    f"WITH instances AS MATERIALIZED ({_SAME_QUESTIONS}), "
    + ", ".join(f"{name} AS NOT MATERIALIZED ({select})" for name, select in VIEWS.items() if name != "runs")
    + f" {REFUTED_CLAIMS}"
)
"""The same for the problem of one instance, whose hash is the parameter."""
