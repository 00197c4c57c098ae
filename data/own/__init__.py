"""A lab's own recordings: NWB files, arrays by nlb_tools' names, and arrays as lfads-torch reads them.

It may import nwb and the modules that all of data shares.
"""
