"""The attack that is shown beside the solvers: projected gradient ascent with restarts.

A solver by its interface, with networks in place of a MILP; the fork server starts it like one.
"""
