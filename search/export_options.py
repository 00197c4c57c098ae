"""Values of options about submissions. This module imports little, so that ``--help`` is fast."""

from typing import Literal

from nlb_search.search.objectives import ObjectiveName

Phase = Literal["val", "test"]
Phases = Literal["val", "test", "both"]
"""Values of --phase."""

AUTO: Literal["auto"] = "auto"
"""Value of --ensemble: trials and their weights are selected on val."""

REFIT_SEEDS = 3
"""Default number of networks that are retrained on train + val for each trial."""

Scorer = Literal["nlb-search", "nlb_tools"]
"""Program that computes the metrics of a submission."""

RankingCriterion = Literal["val", "splits", ObjectiveName]
"""What ranks the trials: the first objective of the study, on val; the mean co-bps over the folds of ``rescore``; or
another objective of the study."""
