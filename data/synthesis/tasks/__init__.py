"""The tasks of the benchmark's layouts: schedules of trials, and the mean latents of each trial.

May import latents and behavior of synthesis, and the modules that all of data shares.
"""
