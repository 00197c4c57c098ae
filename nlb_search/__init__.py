"""The package nlb_search. Its four subpackages are links to the folders of the same names in the repository root.

This way, an installation adds only one top-level package.
"""
