"""Workers: taking and running trials, side by side or alone, and stopping.

It may import publishing, networks, scoring, study, trials and sampling.
"""
