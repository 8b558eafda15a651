"""MILPs that train networks of step functions: formulations `plain` and `tight`, and lifting into both.

They stand beside `formulations`, whose MILPs are about given networks, and use its models and files.
"""
