"""Training, pruning while training, finetuning: torch, seeds and bits that never change.

After datasets and networks, before generation, which calls it group by group.
"""
