"""Scores of trials: metrics and their targets, saved networks, bootstrap ranges, and trials tied with the best.

It may import study and sampling.
"""
