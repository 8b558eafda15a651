"""What the commands print: tables, facts, progress, and what `run` says at its end.

Below the commands and above all that does the work.
"""
