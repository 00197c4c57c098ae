"""A worker, the trials that it trains side by side, one trial, and how a worker is stopped.

It may import scoring, study and sampling.
"""
