"""What several benchmarks use: synthetic recordings, and searches that a clock ends.

It may import ``nlb_search``.
"""
