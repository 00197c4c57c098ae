"""Rescores the best trials of a study by cross-validation.

It may import launching, workers, scoring, study, trials and sampling.
"""
