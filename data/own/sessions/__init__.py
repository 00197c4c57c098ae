"""Sessions of a recording: trials or windows, their splits and held-out units, and pooling several sessions.

May import tables, arrays and how own opens a file.
"""
