"""Database access for a storage URL: engines, locks, retries, a private server, and a cache of trials.

It may import errors.
"""
