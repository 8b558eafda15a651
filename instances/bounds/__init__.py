"""Bounds of every pre-activation over the input set, sound in exact arithmetic.

After networks and properties, before formulations: `levels` chooses among the methods of this folder.
"""
