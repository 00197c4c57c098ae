"""A study: its specification, how it is opened, and its status.

It may import trials and sampling.
"""
