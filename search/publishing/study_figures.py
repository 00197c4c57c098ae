"""Keeps the figures of a study in optuna-dashboard up to date while it runs."""

import logging
import time

from nlb_search.search.publishing.study_charts import best_over_time, chains_compared
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import StudyStatus
from nlb_search.storage.database.locks import exclusive

INTERVAL_SECONDS = 60.0
"""Minimum time between two updates while trials run: the storage keeps a figure in many rows."""

_log = logging.getLogger(__name__)


class StudyFigures:
    """The figures that optuna-dashboard shows below its own. A launcher writes them, at the end in any case."""

    def __init__(self, study: OpenStudy) -> None:
        self._study = study
        self._drawn = 0
        self._next_at = 0.0

    def update(self, status: StudyStatus, is_last: bool = False) -> None:
        """Draw the figures again if trials have finished. Failures are logged and ignored."""
        if status.finished == self._drawn or (time.monotonic() < self._next_at and not is_last):
            return
        self._drawn, self._next_at = status.finished, time.monotonic() + INTERVAL_SECONDS
        try:
            self._save()
        except Exception as error:
            _log.warning("the dashboard's figures are not updated: %s: %s", type(error).__name__, error)

    def _save(self) -> None:
        from optuna_dashboard import save_plotly_graph_object

        from nlb_search.search.charts.plotly_drawing import draw  # imports plotly: only when there is something to draw

        for chart in (best_over_time(self._study), chains_compared(self._study)):
            figure = draw(chart)
            # optuna-dashboard stores a figure in parts: those of two launchers must not mix.
            with exclusive(self._study.locations.url, f"note:{self._study.name}"):
                save_plotly_graph_object(self._study.study, figure, graph_object_id=chart.name)
