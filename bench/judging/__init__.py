"""Candidates measured exactly on the dense network, and what came with them read without trust.

After a run and before the ledger; knows no solver.
"""
