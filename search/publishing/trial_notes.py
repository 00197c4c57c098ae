"""Writes the notes of complete trials."""

import logging

from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.publishing.trial_note_text import trial_note_text
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.storage.database.locks import exclusive

AT_ONCE = 20
"""Maximum number of notes per update: a study of an earlier version may have thousands of trials without one."""

_log = logging.getLogger(__name__)


class TrialNotes:
    """The notes of trials in optuna-dashboard. A note that exists stays as it is: the user may have changed it."""

    def __init__(self, study: OpenStudy) -> None:
        self._study = study
        self._done: set[int] = set()

    def update(self) -> None:
        """Write the notes of complete trials that have none, a few at a time. Failures are logged and ignored."""
        try:
            complete = self._study.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            waiting = [trial for trial in complete if trial.number not in self._done][:AT_ONCE]
            if waiting:
                self._write(waiting)
        except Exception as error:
            _log.warning("the notes of trials are not updated: %s: %s", type(error).__name__, error)

    def _write(self, trials: list[FrozenTrial]) -> None:
        # optuna-dashboard's save_note takes only running trials, because it needs their study.
        from optuna_dashboard._note import note_ver_key, save_note_with_version  # takes more than a second

        study, storage = self._study.study, self._study.study._storage
        with exclusive(self._study.locations.url, f"note:{self._study.name}"):
            existing = storage.get_study_system_attrs(study._study_id)
            for trial in trials:
                if note_ver_key(trial._trial_id) not in existing:
                    text = trial_note_text(self._study.name, self._study.spec, trial)
                    save_note_with_version(storage, study._study_id, trial._trial_id, 1, text)
                self._done.add(trial.number)
