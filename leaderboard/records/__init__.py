"""The ledger for readers: its schema, views and checks, and its runs as columns.

This is the first step of the package: ranking, papers and site take their runs from `reader`.
"""
