"""Helpers of tests in several folders: typed functions that make networks, properties, libraries and ledgers.

A fixture is for what pytest must set up, keep or take down; a function that only computes is imported from here.
"""
