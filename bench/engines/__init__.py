"""Engines, which execute planned runs on this machine or elsewhere.

They use `runs`. The harness uses them: it decides what is executed, and it alone writes the ledger.
"""
