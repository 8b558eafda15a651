"""From a network, a property and bounds to a MILP, its MPS file, and exact points of it.

After bounds, before the library: `tight` and `surrogatelib` are the two formulations.
"""
