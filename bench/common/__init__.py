"""Functions and numbers that all four packages share: lines of text, finite numbers, tolerances, TOML tables, the name
of the processor.

Everything else may import this package, and it imports only the standard library. It contains what must be the same in
packages that may not import each other.
"""
