"""What is trained. It knows tensors only, and may import neither data nor storage nor search.

From the top: training; architecture; blocks; recurrences and hyperparameters; masking, scoring and dropout; and the
modules that all of them share.
"""
