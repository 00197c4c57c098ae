"""How good the scores are: chains, samplers, seeds, and the bias of choosing the best trial on val.

It may import shared and ``nlb_search``.
"""
