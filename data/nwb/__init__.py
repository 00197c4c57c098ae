"""Reading NWB files: a session, its alignment to trials, spikes in bins, and resampled behaviour.

May import the modules that all of data shares.
"""
