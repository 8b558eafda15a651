"""Rows of a ranking as tables: terminal, markdown, CSV, JSON, LaTeX, and the notes beside them.

After ranking; the site and the command line show what is built here.
"""
