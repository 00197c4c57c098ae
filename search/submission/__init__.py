"""Submission files: which trials they are made of, how they are written and checked, and how they are scored.

It may import rescoring, launching, workers, scoring, study and sampling.
"""
