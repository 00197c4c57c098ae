"""Benchmarks of speed and memory: preparing recordings, training networks, and running trials.

They may import ``benchmarks.shared`` and ``nlb_search``.
"""
