"""Data sets as arrays (scikit-learn's digits, MNIST, Fashion-MNIST), and images as PNG files.

They are the first step of the flow: training and properties draw from them.
"""
