"""Properties: an input set and an output goal, as JSON and as VNN-LIB.

After networks, before bounds: what is asked of a network, independent of any MILP.
"""
