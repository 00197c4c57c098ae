"""How workers share the trials of a study: claims, heartbeats, owners, and trials whose workers died.

It may import studies, database and errors.
"""
