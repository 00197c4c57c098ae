"""The networks of finished trials: stored, loaded and removed, and the trials that are tied with the best one.

From search it imports ``scoring`` and the packages below it.
"""
