"""Proofs of answers: their file format, and a checker that believes nothing in them and calls no solver.

They come after networks and properties. The format is specified in `instances/README.md`, section "Proofs".
"""
