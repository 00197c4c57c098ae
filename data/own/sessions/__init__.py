"""Sessions of a recording: trials or windows, their splits and held-out units, and pooling several sessions.

May import ``recording_file``, tables, arrays and the modules below them.
"""
