"""Checks of this machine and a study's locations, for people who set up a search.

It may import workers, scoring, study, trials and sampling. Only cli imports it.
"""
