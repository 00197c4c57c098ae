"""Training: the state of a training, the optimizer, networks side by side, and the loop with evaluations.

It may import all other modules of models.
"""
