"""Properties: an input set and an output goal, as JSON and as VNN-LIB.

They come after networks and before bounds, and state a question about a network, independent of any MILP.
"""
