"""The command line, the harness that executes runs, the judge and the ledger.

Generates with `instances`, executes with `solvers`, ranks with `leaderboard`.
"""
