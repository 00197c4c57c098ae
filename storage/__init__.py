"""Persistent state: studies in a database, the workers that hold their trials, and checkpoint files.

It must not import models, data or search. Modules from top to bottom: copying; claims; studies and study_commands;
database and checkpoints; atomic_files and errors.
"""
