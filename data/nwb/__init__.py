"""Reading NWB files: a session, its alignment to trials, spikes in bins, and resampled behaviour.

It may import the modules that all of data shares.
"""
