"""What a user chooses for a submission. It imports nothing, so that ``--help`` names the choices at once."""

from typing import Literal

Phase = Literal["val", "test"]

Judge = Literal["val", "splits"]
"""What says which trial is best: its co-bps on val in the search, or its mean over the folds of ``rescore``."""
