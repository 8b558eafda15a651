"""Benchmark instances: dataset -> network -> pruned network -> property -> bounds -> MILP -> files.

This package does not depend on solvers or their answers. `bench` writes libraries with it, and judges candidates by the
exact evaluation of `networks`.
"""
