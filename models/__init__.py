"""Networks, their training and their scores. Works on tensors only; must not import data, storage or search.

Modules from top to bottom: training; architecture; blocks; recurrences and hyperparameters; masking, scoring and
dropout; the modules that all of them share.
"""
