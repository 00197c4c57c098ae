"""Models of the user: a class that workers import, its settings, its network, and the checks before a search.

It may import the base class of networks and heads, and the modules below them.
"""
