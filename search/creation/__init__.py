"""Creating a study: its default training length, copied trials, and differences from an existing study.

It may import study, trials and sampling.
"""
