"""Bounds of every pre-activation over the input set, sound in exact arithmetic.

They come after networks and properties and before formulations. `levels` chooses among the methods of this folder.
"""
