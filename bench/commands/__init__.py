"""The commands of `vnnbench` by what they are about: libraries, runs, results.

They say what can be asked for and hand it to the modules of `bench`, which they import when they are called.
"""
