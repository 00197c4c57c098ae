"""Benchmarks of score quality: chains, samplers, random seeds, and the bias of selecting the best trial on val.

They may import ``benchmarks.shared`` and ``nlb_search``.
"""
