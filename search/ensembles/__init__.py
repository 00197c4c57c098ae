"""Ensembles: which trials are averaged, with which weights, and their networks trained again for test.

It may import rescoring, launching, workers, scoring, study and sampling.
"""
