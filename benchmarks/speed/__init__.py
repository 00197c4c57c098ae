"""How fast recordings are prepared and networks trained, against plain loops.

It may import shared and ``nlb_search``.
"""
