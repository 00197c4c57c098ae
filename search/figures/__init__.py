"""Figures, pages and terminal tables of studies, rescorings and recordings.

It may import submission, ensembles, rescoring, launching, workers, publishing, networks, scoring, study, trials,
sampling and charts.
"""
