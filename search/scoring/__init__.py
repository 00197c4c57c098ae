"""Scoring of trials and submissions: metrics and their targets, confidence intervals and selection bias.

It may import study, trials and sampling.
"""
