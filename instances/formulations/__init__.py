"""The formulations: from a network, a property and bounds to a MILP, its MPS file, and exact points of it.

They come after bounds and before the library. `tight` and `surrogatelib` are the two formulations.
"""
