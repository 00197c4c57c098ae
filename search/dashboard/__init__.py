"""Serves optuna-dashboard for the studies of a storage, with access checks.

It may import figures and the packages below. Only cli imports it.
"""
