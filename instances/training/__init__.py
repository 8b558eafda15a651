"""Training, pruning during training, and finetuning with torch, reproducible bit by bit from seeds.

They come after data sets and networks and before generation, which calls them group by group.
"""
