"""The trials of a study as a pandas DataFrame."""

from typing import Any

import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.sampling.spaces.range_types import settings_of_parameters
from nlb_search.search.scoring.metric_names import METRICS
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.trials.trial_scores import network_score

_FACTS = ("co_bps_low", "co_bps_high", *METRICS, "n_parameters", "best_epoch")
"""User attributes of a trial that have a column."""


def trials_table(study: OpenStudy) -> pd.DataFrame:
    """One row for each trial, by its number.

    ``co_bps`` is that of the trial's best evaluation on val, also for pruned and running trials, and NaN before the
    first; ``co_bps_low`` and ``co_bps_high`` are the ends of its 95% bootstrap interval over val trials. The other
    metrics of the benchmark and the settings follow, each in a separate column. A value is missing where it is not
    known or does not apply to the chain.
    """
    trials = study.study.get_trials(deepcopy=False)
    rows = [_row(study, trial) for trial in trials]
    frame = pd.DataFrame(rows, index=pd.Index([trial.number for trial in trials], name="trial"))
    return frame.dropna(axis="columns", how="all")


def _row(study: OpenStudy, trial: FrozenTrial) -> dict[str, Any]:
    has_score = trial.state == TrialState.COMPLETE or trial.intermediate_values
    return {
        "state": trial.state.name.lower(),
        "architecture": study.spec.architecture_of(trial.params),
        "co_bps": network_score(trial) if has_score else None,
        **{name: trial.user_attrs.get(name) for name in _FACTS},
        "seconds": None if trial.duration is None else trial.duration.total_seconds(),
        **settings_of_parameters(trial.params),
    }
