"""Persistent state: studies in a database, the workers that hold their trials, and checkpoint files.

It must not import models, data or search. Modules from top to bottom: study_changes and study_copying; claims;
study_commands; studies; initial_trials; checkpoints, pictures and study_identity; database and study_attributes;
atomic_files and errors.
"""
