"""The cache of prepared tensors, and the process that fills it.

It may import own, nlb and the modules that all of data shares.
"""
