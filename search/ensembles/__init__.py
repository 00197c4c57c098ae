"""Ensembles: which trials are averaged, with which weights, and retraining their networks for test.

It may import rescoring, launching, workers, networks, scoring, study, trials and sampling.
"""
