"""Scores, computed on the device: bits per spike, velocity decoding, trial averages, and the smoothing baseline.

It may import tensors.
"""
