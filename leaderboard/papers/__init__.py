"""The tables and figures of published papers, reproduced from the runs of a ledger.

They come after records and ranking, beside tables and site.
"""
