"""Reading no more of a study's trials than was asked for.

Of what a look at a study costs, with many workers most is the trials that run: Optuna's cache keeps what is finished,
and reads all others again with everything they have, whichever were asked for. A pruner asks for complete trials alone,
and does so at every report; a sampler asks for the same trials several times in one draw.
"""

import copy
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage, _StudyInfo
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState

PRUNER_SECONDS = 5.0
"""How late a pruner may hear that another worker finished a trial: one of many by then, and each is read once."""

READ_TOGETHER = 100
"""Trials that are read together. Read all at once, 5,000 trials cost a worker 240 MB for good, most of it rows long
done with that Python does not give back; in parts, 60.
"""

_UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)

_NO_TRIAL = 2**31 - 1
"""The largest id that the database's column holds."""


def fresh_trials(study: optuna.Study) -> AbstractContextManager[None]:
    """A context in which the study's trials stay as its first look finds them: for a sampler's draw."""
    return _storage_of(study).fresh_trials()


def cached_trials(study: optuna.Study) -> AbstractContextManager[None]:
    """A context in which finished trials may be as a look of ``PRUNER_SECONDS`` ago found them: for a pruner.

    Those that this process finished are always among them, so that one worker alone does the same each time.
    """
    return _storage_of(study).cached_trials()


def _storage_of(study: optuna.Study) -> "TrialCacheStorage":
    storage: TrialCacheStorage = study._storage  # type: ignore[assignment]
    return storage


class TrialCacheStorage(_CachedStorage):
    """Optuna's cached storage, with one thing changed: who asks for trials in some states makes it read those, and of
    the others their states. What it answers is the same, and as fresh but in the contexts above.
    """

    _backend: RDBStorage

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self._at_once: dict[int, list[FrozenTrial]] | None = None
        self._looked_at: dict[int, float] = {}
        self._found: dict[tuple[int, frozenset[TrialState]], list[FrozenTrial]] = {}
        self._oldest = 0.0
        self._distributions: dict[int, dict[str, BaseDistribution]] = {}

    @contextmanager
    def fresh_trials(self) -> Iterator[None]:
        self._at_once = {}
        try:
            yield
        finally:
            self._at_once = None

    @contextmanager
    def cached_trials(self) -> Iterator[None]:
        self._oldest = PRUNER_SECONDS
        try:
            yield
        finally:
            self._oldest = 0.0

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        self._looked_at.clear()
        self._found.clear()
        return super().set_trial_state_values(trial_id, state, values)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if self._at_once is None:
            found = self._trials_now(study_id, states)
        else:
            if study_id not in self._at_once:
                self._at_once[study_id] = self._trials_now(study_id, None)
            found = [trial for trial in self._at_once[study_id] if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def _trials_now(self, study_id: int, states: Container[TrialState] | None) -> list[FrozenTrial]:
        if not self._has_looked(study_id):
            self._look_first(study_id)
        if states is None:
            return super().get_all_trials(study_id, False)
        asked = frozenset(state for state in TrialState if state in states)
        with self._lock:
            fresh: set[int] = set()
            if not asked.isdisjoint(_UNFINISHED) or self._is_old(study_id):
                fresh = {trial_id for trial_id, state in self._look(study_id).items() if state in asked}
                self._read(study_id, fresh)
            elif (study_id, asked) in self._found:
                return list(self._found[study_id, asked])
            # Others that are not finished are in the cache as they were once.
            found = [
                trial
                for trial in self._studies[study_id].trials.values()
                if trial.state in asked and (trial.state.is_finished() or trial._trial_id in fresh)
            ]
            found.sort(key=lambda trial: trial.number)
            # Until the next look a pruner is answered with the same trials: of thousands, they take a while to find.
            self._found[study_id, asked] = found
        return list(found)

    def get_n_trials(self, study_id: int, state: tuple[TrialState, ...] | TrialState | None = None) -> int:
        if state is None or not self._has_looked(study_id):
            return super().get_n_trials(study_id, state)
        states = (state,) if isinstance(state, TrialState) else state
        with self._lock:
            unfinished = self._look(study_id).values()
            trials = self._studies[study_id].trials.values()
            finished = sum(trial.state in states for trial in trials if trial.state.is_finished())
        return finished + sum(each in states for each in unfinished)

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        return self._backend.get_trial_system_attrs(trial_id)  # Optuna's cache reads the whole trial for them

    def _has_looked(self, study_id: int) -> bool:
        """Whether the trials were read before: the first time, nothing is known that could be spared."""
        return study_id in self._studies and bool(self._studies[study_id].trials)

    def _look_first(self, study_id: int) -> None:
        with self._lock:
            self._studies.setdefault(study_id, _StudyInfo())
            self._look(study_id)

    def _is_old(self, study_id: int) -> bool:
        """Whether the last look at the study is no longer good enough."""
        return time.monotonic() >= self._looked_at.get(study_id, 0.0) + self._oldest

    def _look(self, study_id: int) -> dict[int, TrialState]:
        """The states of the trials that are not finished, by id; reads those that have finished since the last look."""
        study, trial = self._studies[study_id], models.TrialModel
        looked_at = time.monotonic()
        self._found.clear()
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
                models.StudyModel.find_or_raise_by_id(study_id, session)  # it may have been deleted
        state_of = dict(found)
        finished = {trial_id for trial_id, state in state_of.items() if state.is_finished()}
        self._read(study_id, finished)
        study.unfinished_trial_ids = state_of.keys() - finished
        self._looked_at[study_id] = looked_at
        study.last_finished_trial_id = max(finished | {study.last_finished_trial_id})
        return {trial_id: state_of[trial_id] for trial_id in study.unfinished_trial_ids}

    def _read(self, study_id: int, trial_ids: set[int]) -> None:
        """Read these trials, and no others, with all they have into the cache."""
        ids = sorted(trial_ids)
        for start in range(0, len(ids), READ_TOGETHER):
            batch = set(ids[start : start + READ_TOGETHER])
            read = self._backend._get_trials(study_id, None, batch, trial_id_greater_than=_NO_TRIAL)
            self._share_distributions(study_id, read)
            self._add_trials_to_cache(study_id, read)

    def _share_distributions(self, study_id: int, trials: list[FrozenTrial]) -> None:
        """Let trials share the distributions that are equal: there are few, one for each setting of the space."""
        known = self._distributions.setdefault(study_id, {})
        for trial in trials:
            for name, distribution in trial.distributions.items():
                same = known.setdefault(name, distribution)
                if same == distribution:
                    trial.distributions[name] = same
