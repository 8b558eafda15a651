"""What all four packages share: lines of text, finite numbers, TOML tables, the name of the processor.

Below everything else: standard library only, and nothing of ours is imported here.
"""
