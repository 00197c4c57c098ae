"""The commands: one file for each group of them, which ``search.cli.app`` makes commands of ``nlb-search``.

Slow packages are imported inside the functions, so that ``--help`` is fast.
"""
