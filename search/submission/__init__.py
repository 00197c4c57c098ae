"""Submission files: selecting trials, writing and checking a file, and scoring it.

It may import rescoring, launching, workers, scoring, study and sampling.
"""
