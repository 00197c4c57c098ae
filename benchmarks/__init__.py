"""Figures that a reader can reproduce with one command each, run from the repository's root.

``python -m benchmarks.speed.one_trial`` runs one of them; ``demo`` and ``context`` are what the Makefile runs. They may
import anything of ``nlb_search``, which imports nothing of them.
"""
