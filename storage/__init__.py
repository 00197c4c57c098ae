"""What is remembered: studies in a database, who works on their trials, and files beside them.

It may import neither models nor data nor search. From the top: copying; claims; studies and study_commands; database
and checkpoints; atomic_files and errors.
"""
