"""Figures, pages and terminal tables of studies, rescorings and recordings.

It may import submission, rescoring, launching, workers, scoring, study, trials and sampling.
"""
