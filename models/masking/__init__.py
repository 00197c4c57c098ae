"""The input of a training step: masks of held-in entries and crops of trials.

It may import random_draws and tensors.
"""
