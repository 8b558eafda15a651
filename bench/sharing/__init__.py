"""Runs that leave this machine and come from others: bundles, merging, the published site.

After the ledger: what comes from elsewhere is judged again before it is believed.
"""
