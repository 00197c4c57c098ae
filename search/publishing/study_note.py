"""Keeps the note of a study up to date while it runs."""

import logging

from optuna_dashboard import save_note

from nlb_search.search.publishing.note_text import note_text
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import study_status
from nlb_search.storage.database.locks import exclusive

_log = logging.getLogger(__name__)


class StudyNote:
    """The note that optuna-dashboard shows first for a study. Every worker writes it when it sees a new best trial."""

    def __init__(self, study: OpenStudy) -> None:
        self._study = study
        self._written: tuple[int | None, bool] | None = None

    def update(self) -> None:
        """Write the note if the best trial has changed or the study is finished. Failures are logged and ignored."""
        try:
            self._update()
        except Exception as error:
            _log.warning("the study's note is not updated: %s: %s", type(error).__name__, error)

    def _update(self) -> None:
        status = study_status(self._study)
        now = (None if status.best is None else status.best.number, status.is_finished)
        if now == self._written:
            return
        first = self._study.study.get_trials(deepcopy=False)[0]
        # optuna-dashboard stores a note in parts: those of two writers must not mix.
        with exclusive(self._study.locations.url, f"note:{self._study.name}"):
            save_note(self._study.study, note_text(status, first))
        self._written = now
