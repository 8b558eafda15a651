"""Benchmark instances: dataset -> network -> pruned network -> property -> bounds -> MILP -> files.

Knows nothing of solvers' answers. `bench` writes libraries with it and judges candidates with what `networks` has of
exact evaluation.
"""
