"""A chain's text, the heads that close it, and the network that it is made into.

It may import blocks and what lies below.
"""
