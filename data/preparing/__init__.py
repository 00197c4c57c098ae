"""The cache of prepared tensors, and the process that fills it.

May import own, nlb and the modules that all of data shares.
"""
