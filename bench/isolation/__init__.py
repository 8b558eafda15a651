"""One run in processes of its own: started, limited, watched, ended, accounted.

Between harness and solver: the fork server, the supervisor, and the frames that they exchange.
"""
