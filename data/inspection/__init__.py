"""Statistics of a recording, and signs of problems in it.

May import the modules that all of data shares: recording, errors and datasets.
"""
