"""MILP solvers behind one interface: a path to an MPS file goes in, incumbents and an answer come out.

This package knows nothing of networks. `bench` starts its adapters in child processes and judges what they report.
"""
