"""Heartbeats of a worker's trials, timed by the database's clock.

Optuna sends heartbeats only inside ``Study.optimize``, from a thread that ends at the first database error. Workers use
the ask-and-tell interface instead, so they send their own. Only this file calls Optuna's private heartbeat functions.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna

from nlb_search.storage.database.opening import HEARTBEAT_SECONDS

_log = logging.getLogger(__name__)


def beat(study: optuna.Study, trial_id: int) -> None:
    """Record a heartbeat of the trial."""
    _heart(study).record_heartbeat(trial_id)


def stale_trial_ids(study: optuna.Study) -> frozenset[int]:
    """Ids of running trials whose last heartbeat is older than the grace period."""
    return frozenset(_heart(study)._get_stale_trial_ids(study._study_id))


def _heart(study: optuna.Study) -> Any:
    return study._storage


class Heartbeat:
    """A thread that sends heartbeats for a worker's trials while its ``with`` block runs, despite database errors."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._trial_ids: set[int] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._done.set()
        self._thread.join()

    @contextmanager
    def of(self, trial_id: int) -> Iterator[None]:
        """A context in which the trial has a regular heartbeat."""
        self._trial_ids.add(trial_id)
        try:
            yield
        finally:
            self._trial_ids.discard(trial_id)

    def _run(self) -> None:
        logged = False
        while not self._done.wait(HEARTBEAT_SECONDS):
            failed: Exception | None = None
            for trial_id in tuple(self._trial_ids):
                try:
                    beat(self._study, trial_id)
                except Exception as error:
                    failed = error
            if failed is not None and not logged:
                _log.info("the heartbeat could not be recorded: %s", type(failed).__name__)
            logged = failed is not None
