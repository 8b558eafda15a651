"""The tables and figures of the papers, from the runs of a ledger.

After records and ranking, beside tables and site.
"""
