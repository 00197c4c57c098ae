"""Recurrences over the bins of a trial with gradients of their own, also for many networks at once.

It imports nothing of models.
"""
