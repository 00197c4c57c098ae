"""Workers: taking and running trials, side by side or alone, and stopping.

It may import scoring, study, trials and sampling.
"""
