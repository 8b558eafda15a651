"""The prover: branch and bound on the relaxation of `instances.bounds`, whose result is a proof that a checker accepts.

What it searches with need not be exact; what it records is shown by `instances.proofs`.
"""
