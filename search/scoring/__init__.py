"""Scoring of trials and submissions: metrics and their targets, confidence intervals and selection bias.

From search it imports only ``errors`` and ``recording_tensors``.
"""
