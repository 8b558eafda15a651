"""The library on disk: its catalogue, its manifest, its reader, and the check that its files agree.

It comes after formulations and families and before generation, which writes it; harness and judge read it.
"""
