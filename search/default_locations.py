"""Default locations of studies and recordings. This module imports nothing slow: ``--help`` uses it."""

from pathlib import Path

STORAGE = "sqlite:///nlb-search.db"
DATA = Path("nlb-data")
STORAGE_VARIABLE, DATA_VARIABLE = "NLB_SEARCH_STORAGE", "NLB_SEARCH_DATA"
"""Environment variables that override the defaults."""
