"""Networks, dense and pruned, and their exact evaluation in integers.

With data sets they are the start of the flow; they need no other folder.
"""
