"""MILP solvers behind one interface: a path to an MPS file goes in, incumbents and an answer come out.

Knows nothing of networks. `bench` starts these adapters in child processes and judges what they say.
"""
