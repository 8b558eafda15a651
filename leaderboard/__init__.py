"""From a ledger of runs to rankings: records, settings, outcomes, metrics, ranking, surrogates, tables,
the papers' figures and tables.

Runs no solver and loads no network: everything here is derived from RESULTS/ledger.sqlite.
"""
