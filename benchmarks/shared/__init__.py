"""Code shared by several benchmarks: synthetic recordings, and searches with a time limit.

It may import ``nlb_search``.
"""
