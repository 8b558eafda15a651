"""Benchmark sets from a ledger: best known values, difficulty, near copies, selection.

They come after records, beside ranking.
"""
