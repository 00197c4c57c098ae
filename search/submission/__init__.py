"""Submission files: writing and checking a file and its card, and scoring it.

It may import exported_models, ensembles, scoring, study and sampling.
"""
