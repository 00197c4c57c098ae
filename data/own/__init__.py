"""Your own recordings: NWB files, HDF5 arrays by nlb_tools' names, and HDF5 arrays in lfads-torch's format.

May import nwb and the modules that all of data shares.
"""
