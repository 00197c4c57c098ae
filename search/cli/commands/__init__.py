"""The commands of ``nlb-search``, one file for each group. ``search.cli.app`` registers them.

Slow packages are imported inside the functions, so that ``--help`` is fast.
"""
