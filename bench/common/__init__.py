"""What all four packages share: lines of text, finite numbers, tolerances, TOML tables, the name of the processor.

Below everything else: standard library only, and nothing of ours is imported here. Where a number or a function must
be the same in packages that may not import each other, it stands here instead of in each.
"""
