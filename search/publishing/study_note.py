"""Keeps the note of a study up to date while it runs."""

import logging

from nlb_search.data.ceiling import Ceiling
from nlb_search.data.errors import DataError
from nlb_search.search.publishing.dashboard_texts import writing_texts
from nlb_search.search.publishing.study_note_text import note_text
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.pareto_front import FrontTrial
from nlb_search.search.study.status import StudyStatus
from nlb_search.search.study.study_ceiling import known_ceiling

_log = logging.getLogger(__name__)


class StudyNote:
    """The study's note in optuna-dashboard."""

    def __init__(self, study: OpenStudy) -> None:
        self._study = study
        self._written: tuple[int | None, tuple[FrontTrial, ...], bool] | None = None

    def update(self, status: StudyStatus) -> None:
        """Write the note if the best trials have changed or the study is finished. Failures are logged and ignored."""
        try:
            self._update(status)
        except Exception as error:
            _log.warning("the study's note is not updated: %s: %s", type(error).__name__, error)

    def _update(self, status: StudyStatus) -> None:
        now = (None if status.best is None else status.best.number, status.front, status.is_finished)
        if now == self._written:
            return
        first = self._study.study.get_trials(deepcopy=False)[0]
        with writing_texts(self._study) as texts:
            texts.save_note(note_text(status, first, self._ceiling()))
        self._written = now

    def _ceiling(self) -> Ceiling | None:
        try:
            return known_ceiling(self._study)
        except DataError as error:
            _log.warning("the study's note lacks the ceiling: %s", error)
            return None
