"""The output of the commands: tables, facts, progress, and the summaries of runs.

The commands import this package; it imports the modules that do the work.
"""
