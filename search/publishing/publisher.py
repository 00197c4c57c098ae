"""Keeps what optuna-dashboard shows of a study up to date while it runs."""

import logging

from nlb_search.search.publishing.study_figures import StudyFigures
from nlb_search.search.publishing.study_note import StudyNote
from nlb_search.search.publishing.trial_notes import TrialNotes
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import StudyStatus, study_status

_log = logging.getLogger(__name__)


class Publisher:
    """The notes and figures of a study, written by its launchers, and by workers without one.

    Failures are logged and ignored.
    """

    def __init__(self, study: OpenStudy) -> None:
        self._study = study
        self._note, self._trial_notes, self._figures = StudyNote(study), TrialNotes(study), StudyFigures(study)

    def update(self, status: StudyStatus, is_last: bool = False) -> None:
        """Write what has changed. Figures are drawn occasionally, and always if ``is_last``."""
        self._note.update(status)
        self._trial_notes.update()
        self._figures.update(status, is_last or status.is_finished)

    def read_and_update(self, is_last: bool = False) -> None:
        """Like ``update``, with the current status of the study."""
        try:
            status = study_status(self._study)
        except Exception as error:
            _log.warning("the dashboard's note and figures are not updated: %s: %s", type(error).__name__, error)
            return
        self.update(status, is_last)
