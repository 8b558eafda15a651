"""The ledger as it is written: one writer, append-only, claims refuted, everything judged again.

After judging; `vnnbench.leaderboard.records` reads what is written here.
"""
