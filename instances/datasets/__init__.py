"""Data sets: images as arrays (scikit-learn's digits, MNIST, Fashion-MNIST) and as PNG files, and tables with classes.

They are the first step of the flow: training and properties draw from them.
"""
