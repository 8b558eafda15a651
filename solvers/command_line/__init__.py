"""Solvers that are programs of their own, each described by a TOML file: cbc and glpk are in this folder.

Behind the same interface as the adapters beside it: a model file goes in, a log and a solution file are read.
"""
