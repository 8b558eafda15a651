"""The commands of `vnnbench`: about libraries, runs and results.

They define arguments and options and pass them to the other modules of `bench`, which they import when they are called.
"""
