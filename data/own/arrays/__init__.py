"""Recordings of arrays: trials x bins x neurons, by nlb_tools' names or in lfads-torch's format; HDF5, .npz and .mat.

May import file_format, recording_settings, tensor_assembly, intervals and memory of own, and the modules that all of
data shares.
"""
