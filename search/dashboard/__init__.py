"""optuna-dashboard on the studies of a storage, and the guard in front of it.

It may import figures and the floors below. Only cli imports it.
"""
