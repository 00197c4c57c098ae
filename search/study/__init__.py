"""A study: its specification, how it is created and opened, and its status.

It may import sampling.
"""
