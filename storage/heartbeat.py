"""A worker's sign of life, in the database's own clock.

Optuna beats only inside ``Study.optimize``, from a thread that the first database error ends; workers here ask and
tell, so they beat themselves. The three calls on Optuna's storage that are not public stand in this file alone.
"""

import logging
import threading
from typing import Any

import optuna

from storage.database import HEARTBEAT_SECONDS

_log = logging.getLogger(__name__)


def beat(study: optuna.Study, trial_id: int) -> None:
    """Record that the trial is alive now."""
    _heart(study).record_heartbeat(trial_id)


def silent_trials(study: optuna.Study) -> frozenset[int]:
    """Ids of running trials whose last sign of life is older than the grace period."""
    return frozenset(_heart(study)._get_stale_trial_ids(study._study_id))


def _heart(study: optuna.Study) -> Any:
    return study._storage


class Heartbeat:
    """Beats for a trial while its ``with`` block runs; a database that is away does not end it."""

    def __init__(self, study: optuna.Study, trial_id: int) -> None:
        self._study, self._trial_id = study, trial_id
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_exception: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(HEARTBEAT_SECONDS):
            try:
                beat(self._study, self._trial_id)
            except Exception as error:
                _log.info("no sign of life could be recorded: %s", type(error).__name__)
