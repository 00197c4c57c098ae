"""Scoring the best trials of a study again by cross-validation.

It may import launching, workers, scoring, study and sampling.
"""
