"""Chains, heads, and the network built from a chain.

It may import blocks and the modules below it.
"""
