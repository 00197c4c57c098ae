"""Scores on the device: bits per spike, decoding of behaviour, trial averages, and the smoothing baseline.

It may import tensors.
"""
