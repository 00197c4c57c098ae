"""What a recording holds and what in it may be a problem, as numbers.

It may import the modules that all of data shares: recording, errors and datasets.
"""
