"""Scores, computed on the device of the rates: bits per spike, velocity decoding, PSTHs, produced intervals, and the
smoothing baseline.

It may import tensors.
"""
