"""What training hides from a network: masks of held-in entries, and crops of trials.

It may import random_draws and tensors.
"""
