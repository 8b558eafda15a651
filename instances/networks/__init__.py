"""Networks: dense and pruned, and their exact evaluation in integers.

Beside datasets at the start of the flow: no other folder is needed here.
"""
