"""From a ledger of runs to publication: records, ranking, tables, benchmark sets, the papers, the site.

Nothing here runs a solver or loads a network: everything is derived from RESULTS/ledger.sqlite.
"""
