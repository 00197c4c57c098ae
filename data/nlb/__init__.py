"""The benchmark's recordings: windows, splits, targets and tensors as nlb_tools makes them.

May import nwb and the modules that all of data shares.
"""
