"""From a ledger to a benchmark set: best known values, difficulty, near copies, selection.

After records, beside ranking.
"""
