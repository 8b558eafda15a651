"""Isolation: each run has processes of its own, which are started, limited, watched, ended and accounted for.

The package has the fork server, the supervisor, and the frames that they exchange between harness and solver.
"""
