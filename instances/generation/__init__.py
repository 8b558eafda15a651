"""The generation of libraries: the steps from a suite to files, imports, repair, and planted answers.

It is the last step of the package: it uses all folders beside it, and they do not use it.
"""
