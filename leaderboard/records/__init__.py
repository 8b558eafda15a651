"""The ledger as it is read: schema, views, checks, and runs as columns.

The first step of the package: ranking, papers and site take their runs from `reader`.
"""
