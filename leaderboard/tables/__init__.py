"""The rows of a ranking as tables in the terminal, in markdown, CSV, JSON and LaTeX, and the notes on them.

It comes after `ranking`; the site and the command line show what it builds.
"""
