"""From a plan to finished runs: which ones, under which names, on which copy of the model.

Above isolation and judging, below the harness.
"""
