"""Values of options about submissions. This module imports nothing else, so that ``--help`` is fast."""

from typing import Literal

Phase = Literal["val", "test"]
Phases = Literal["val", "test", "both"]
"""Values of --phase."""

AUTO: Literal["auto"] = "auto"
"""Value of --ensemble: trials and their weights are selected on val."""

REFIT_SEEDS = 3
"""Default number of networks that are trained again on train + val for each trial."""

Scorer = Literal["nlb-search", "nlb_tools"]
"""Program that computes the metrics of a submission."""

Judge = Literal["val", "splits"]
"""Score that ranks the trials: co-bps on val in the search, or the mean over the folds of ``rescore``."""
