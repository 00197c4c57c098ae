"""Scoring of trials: metrics and their targets, saved networks, bootstrap confidence intervals, and ties.

It may import study, trials and sampling.
"""
