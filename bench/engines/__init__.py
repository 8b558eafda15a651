"""Where planned runs are executed: on this machine, or wherever another engine carries them.

Above runs, below the harness, which decides what is to be executed and alone writes the ledger.
"""
