"""Statistics of a recording, and signs of problems in it.

May import own, nwb, and the modules that all of data shares: recording, dataset_files, errors and datasets.
"""
