"""Binning a session: spikes, behaviour, trial averages and produced intervals, in bins around an event of each trial.

May import sessions, tables, arrays, the modules below them, and nwb.
"""
