"""Base classes of blocks, and the layers that several blocks share.

It may import recurrences, hyperparameters, dropout and the shared modules of models.
"""
