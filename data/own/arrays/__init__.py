"""Recordings of arrays: trials x bins x neurons, by nlb_tools' names or in lfads-torch's format; HDF5, .npz and .mat.

May import the modules of own about layouts, settings, splits, intervals and memory, and the modules that all of data
shares.
"""
