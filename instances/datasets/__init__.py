"""Datasets as arrays: embedded digits, MNIST, Fashion-MNIST, and images as PNG.

The first step of the flow: training and properties draw from these.
"""
