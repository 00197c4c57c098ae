"""Numbers of trials, as the budget counts them."""

import optuna
from optuna.trial import TrialState

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
"""The states that count towards the budget. Failed trials do not count."""


def finished_count(study: optuna.Study) -> int:
    """Number of complete and pruned trials."""
    return study._storage.get_n_trials(study._study_id, FINISHED)


def waiting_count(study: optuna.Study) -> int:
    """Number of trials that were enqueued and that no worker has started."""
    return study._storage.get_n_trials(study._study_id, TrialState.WAITING)


def started_count(study: optuna.Study) -> int:
    """Number of finished and running trials."""
    return study._storage.get_n_trials(study._study_id, (TrialState.RUNNING, *FINISHED))
