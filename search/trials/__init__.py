"""Trials: their scores, seeds and attributes, settings from files, and the gain that more trials promise.

It may import the storage's claims. It knows no specification of a study.
"""
