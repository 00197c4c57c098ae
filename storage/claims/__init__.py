"""Claims: how workers share the trials of a study, with owners, heartbeats and the takeover from dead workers.

It may import studies, database and errors.
"""
