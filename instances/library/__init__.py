"""A library on disk: its catalogue, its manifest, its reader, and the check that it is what it says.

After formulations and families, before generation, which writes it; harness and judge read it.
"""
