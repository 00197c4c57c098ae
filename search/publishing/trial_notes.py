"""Writes the notes of complete trials."""

import logging

from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.publishing.dashboard_texts import writing_texts
from nlb_search.search.publishing.trial_note_text import trial_note_text
from nlb_search.search.study.open_study import OpenStudy

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
        with writing_texts(self._study) as texts:
            for trial in trials:
                if not texts.has_note(trial._trial_id):
                    texts.save_note(trial_note_text(self._study.name, self._study.spec, trial), trial._trial_id)
                self._done.add(trial.number)
