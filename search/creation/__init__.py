"""Creating a study: its default training length, copied trials, and differences from the study that exists.

It may import study, trials and sampling.
"""
