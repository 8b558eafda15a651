"""The attack that is shown beside the solvers: projected gradient ascent with restarts.

It has the interface of a solver, but reads networks instead of a MILP. The fork server starts it like a solver.
"""
