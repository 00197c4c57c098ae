"""Fetching the benchmark's recordings from DANDI and its public test targets, with a record of what was fetched.

May import the modules that all of data shares.
"""
