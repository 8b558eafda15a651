"""What is shown beside the solvers: an attack on networks, the prover, and heuristics that train networks of step
functions.

They have the interface of a solver, but read an instance's data instead of its MILP. The fork server starts them like
solvers.
"""
