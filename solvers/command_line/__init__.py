"""Solvers that are programs of their own, each described by a TOML file: cbc and glpk are in this folder.

They have the same interface as all adapters: a model file goes in, a log and a solution file are read.
"""
