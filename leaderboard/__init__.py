"""From a ledger of runs to what is published: records, ranking, tables, benchmark sets, the papers, the site.

Runs no solver and loads no network: everything here is derived from RESULTS/ledger.sqlite.
"""
