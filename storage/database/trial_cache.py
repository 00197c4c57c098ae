"""A trial cache that reads only the trials that the caller asks for.

With many workers, most of the cost of a query is the running trials: Optuna caches finished trials, but reads all
others again in full, even if the caller does not ask for them. A pruner asks only for complete trials, at every report;
a sampler asks for the same trials several times for one suggestion.
"""

import copy
import math
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage, _StudyInfo
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState

from nlb_search.storage.database.trial_reading import read_trials

PRUNER_SECONDS = 5.0
"""Maximum age of the finished trials that a pruner sees, for trials of other workers."""

READ_TOGETHER = 100
"""Number of trials per query. Reading 5,000 trials in one query permanently costs a worker 240 MB, because Python does
not return the memory of temporary rows to the system; in parts it costs 60 MB.
"""

_UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)


def fresh_trials(study: optuna.Study) -> AbstractContextManager[None]:
    """A context in which the study's trials are read once and then stay the same: for one suggestion of a sampler."""
    return _storage_of(study).fresh_trials()


def cached_trials(study: optuna.Study) -> AbstractContextManager[None]:
    """A context in which the list of finished trials may be up to ``PRUNER_SECONDS`` old: for a pruner.

    Trials that this process finished are always included, so that a search with a single worker is reproducible.
    """
    return _storage_of(study).cached_trials()


def _storage_of(study: optuna.Study) -> "TrialCacheStorage":
    storage: TrialCacheStorage = study._storage  # type: ignore[assignment]
    return storage


class TrialCacheStorage(_CachedStorage):
    """Optuna's cached storage with one change: a query for trials in some states reads only those in full.

    Of the other trials it reads the states. The results are the same and as recent as Optuna's, except in the contexts
    ``fresh_trials`` and ``cached_trials``.
    """

    _backend: RDBStorage

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self._snapshot: dict[int, list[FrozenTrial]] | None = None
        self._queried_at: dict[int, float] = {}
        self._results: dict[tuple[int, frozenset[TrialState]], list[FrozenTrial]] = {}
        self._max_age = 0.0

    @contextmanager
    def fresh_trials(self) -> Iterator[None]:
        self._snapshot = {}
        try:
            yield
        finally:
            self._snapshot = None

    @contextmanager
    def cached_trials(self) -> Iterator[None]:
        self._max_age = PRUNER_SECONDS
        try:
            yield
        finally:
            self._max_age = 0.0

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        self._queried_at.clear()
        self._results.clear()
        return super().set_trial_state_values(trial_id, state, values)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if self._snapshot is None:
            found = self._trials_now(study_id, states)
        else:
            if study_id not in self._snapshot:
                self._snapshot[study_id] = self._trials_now(study_id, None)
            found = [trial for trial in self._snapshot[study_id] if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def _trials_now(self, study_id: int, states: Container[TrialState] | None) -> list[FrozenTrial]:
        if not self._was_read(study_id):
            self._first_query(study_id)
        if states is None:
            return super().get_all_trials(study_id, False)
        asked = frozenset(state for state in TrialState if state in states)
        with self._lock:
            fresh: set[int] = set()
            if not asked.isdisjoint(_UNFINISHED) or self._is_old(study_id):
                fresh = {trial_id for trial_id, state in self._query_states(study_id).items() if state in asked}
                self._read(study_id, fresh)
            elif (study_id, asked) in self._results:
                return list(self._results[study_id, asked])
            # Other unfinished trials in the cache may be out of date.
            found = [
                trial
                for trial in self._studies[study_id].trials.values()
                if trial.state in asked and (trial.state.is_finished() or trial._trial_id in fresh)
            ]
            found.sort(key=lambda trial: trial.number)
            # Reuse the result until the next query: filtering thousands of trials takes a while.
            self._results[study_id, asked] = found
        return list(found)

    def get_n_trials(self, study_id: int, state: tuple[TrialState, ...] | TrialState | None = None) -> int:
        if state is None or not self._was_read(study_id):
            return super().get_n_trials(study_id, state)
        states = (state,) if isinstance(state, TrialState) else state
        with self._lock:
            unfinished = self._query_states(study_id).values()
            trials = self._studies[study_id].trials.values()
            finished = sum(trial.state in states for trial in trials if trial.state.is_finished())
        return finished + sum(each in states for each in unfinished)

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        return self._backend.get_trial_system_attrs(trial_id)  # Optuna's cache would read the whole trial

    def _was_read(self, study_id: int) -> bool:
        """Whether the study's trials were read before. The first query must read them all."""
        return study_id in self._studies and bool(self._studies[study_id].trials)

    def _first_query(self, study_id: int) -> None:
        with self._lock:
            self._studies.setdefault(study_id, _StudyInfo())
            self._query_states(study_id)

    def _is_old(self, study_id: int) -> bool:
        """Whether the last query of the study is older than allowed, or there is none."""
        return time.monotonic() >= self._queried_at.get(study_id, -math.inf) + self._max_age

    def _query_states(self, study_id: int) -> dict[int, TrialState]:
        """The states of the unfinished trials, by id. Reads trials that have finished since the last query in full."""
        study, trial = self._studies[study_id], models.TrialModel
        queried_at = time.monotonic()
        self._results.clear()
        with _create_scoped_session(self._backend.scoped_session) as session:
            found = (
                session.query(trial.trial_id, trial.state)
                .filter(trial.study_id == study_id)
                .filter(
                    sqlalchemy.or_(
                        trial.trial_id > study.last_finished_trial_id, trial.trial_id.in_(study.unfinished_trial_ids)
                    )
                )
                .all()
            )
            if not found:
                models.StudyModel.find_or_raise_by_id(study_id, session)  # raises KeyError if it was deleted
        state_of = dict(found)
        finished = {trial_id for trial_id, state in state_of.items() if state.is_finished()}
        self._read(study_id, finished)
        study.unfinished_trial_ids = state_of.keys() - finished
        self._queried_at[study_id] = queried_at
        study.last_finished_trial_id = max(finished | {study.last_finished_trial_id})
        return {trial_id: state_of[trial_id] for trial_id in study.unfinished_trial_ids}

    def _read(self, study_id: int, trial_ids: set[int]) -> None:
        """Read these trials in full into the cache."""
        ids = sorted(trial_ids)
        for start in range(0, len(ids), READ_TOGETHER):
            # A session for each query: a session on a SQLite file keeps other processes from writing.
            with _create_scoped_session(self._backend.scoped_session) as session:
                trials = read_trials(session, ids[start : start + READ_TOGETHER])
            self._add_trials_to_cache(study_id, trials)
