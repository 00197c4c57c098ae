"""Training: the state of a network in training, its optimizer, many networks at once, and the loop that evaluates.

It may import every other part of models.
"""
