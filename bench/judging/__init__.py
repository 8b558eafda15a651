"""Judging: candidates are measured exactly on the dense network, and files that came with them are read without trust.

It takes place between a run and the ledger, and imports no solver.
"""
