"""What writes libraries: the steps from a suite to files, import, repair, planted answers.

The last step of the package: it uses all folders beside it, and none of them uses it.
"""
