"""Runs that leave this machine or come from others: bundles, merging, the published site.

It stands after the ledger. Runs from elsewhere are judged again before they are believed.
"""
