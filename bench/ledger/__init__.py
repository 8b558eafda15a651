"""Writing the ledger: one append-only writer, the names of runs, the refutation of claims, judging again.

It uses `judging`; `vnnbench.leaderboard.records` reads what is written here.
"""
