"""Suite files of a few instances on the digits that come with scikit-learn.

A test that needs another suite makes it from one of these by `str.replace`, or writes its own.
"""

TINY_SUITE = """
name = "tiny"
description = "two networks on digits"
dataset = "digits"
input_sides = [8]
architectures = ["2x8"]
seeds = [0, 1]
formulations = ["tight", "surrogatelib"]

[training]
epochs = 40

[property]
norm = "l1"
radius = [1.0, 4.0]

[[pruning]]
method = "magnitude"
structure = "unstructured"
rates = [0.5]
"""
"""Two networks, dense and pruned, in both formulations: eight instances."""

SMALL_SUITE = """
name = "small"
dataset = "digits"
input_sides = [8]
architectures = ["1x6"]
seeds = [0, 1]
formulations = ["tight"]

[training]
epochs = 12

[property]
norm = "l1"
radius = [0.5, 1.5]

[[pruning]]
method = "magnitude"
structure = "unstructured"
rates = [0.5]
"""
"""Two networks of one hidden layer, dense and pruned: four instances, made in less than a second."""

TRAIN_SUITE = """
name = "tiny-train"
family = "train"
description = "two variants"
neurons = 2
splits = [0, 3]
variants = ["101", "int"]
formulations = ["plain", "tight"]

[[data]]
dataset = "corner"
training_samples = 8
"""
"""Two variants of a training problem with two splits, in both formulations: eight instances."""
