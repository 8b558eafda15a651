"""Planned and finished runs: the plan, the names of runs, their folders and copies of the model, their execution.

It uses isolation and judging; engines and the harness use it.
"""
