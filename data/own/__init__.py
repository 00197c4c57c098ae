"""Your own recordings: NWB files, folders of Kilosort and phy, and arrays in HDF5, .npz and .mat files.

``source`` finds a recording, and ``reading`` reads it into tensors: arrays directly, and tables by sessions and bins.

May import nwb and the modules that all of data shares.
"""
