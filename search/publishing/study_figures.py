"""Keeps the figures of a study in optuna-dashboard up to date while it runs."""

import logging
import time
from collections.abc import Iterator

from nlb_search.search.charts.chart import Chart
from nlb_search.search.errors import SearchError
from nlb_search.search.publishing.dashboard_texts import writing_texts
from nlb_search.search.publishing.pareto_charts import pareto_charts
from nlb_search.search.publishing.score_charts import best_over_time, chains_compared, finished_trials
from nlb_search.search.publishing.search_charts import pruning_depth, val_overestimates, workers_over_time
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import StudyStatus
from nlb_search.storage.errors import StorageError

INTERVAL_SECONDS = 60.0
"""Minimum time between two updates while trials run: the storage keeps a figure in many rows."""

MAX_SHARE = 0.01
"""Maximum fraction of a process's time that is spent on drawing."""

_DRAWN_KEY = "nlb-search:figures"
"""System attribute of the study with the number of finished trials and the time of the last update by any process."""

_log = logging.getLogger(__name__)


def running_charts(study: OpenStudy) -> Iterator[Chart]:
    """The charts that are kept up to date while a study runs."""
    yield best_over_time(study)
    yield chains_compared(study)
    yield from pareto_charts(study)
    yield pruning_depth(study, finished_trials(study))
    yield workers_over_time(study)
    try:
        bias = val_overestimates(study)
    except (SearchError, StorageError) as error:
        _log.warning("skipping the selection-bias figure: %s", error)
        return
    if bias is not None:
        yield bias


class StudyFigures:
    """The figures that optuna-dashboard shows below its own. Several processes may update the figures of one study."""

    def __init__(self, study: OpenStudy) -> None:
        self._study = study
        self._drawn = 0
        self._next_at = 0.0

    def update(self, status: StudyStatus, is_last: bool = False) -> None:
        """Redraw the figures if trials have finished, and always if ``is_last``.

        Failures are logged and ignored.
        """
        started = time.monotonic()
        if status.finished == self._drawn or (started < self._next_at and not is_last):
            return
        try:
            if self._is_due(status.finished, is_last):
                self._draw()
        except Exception as error:
            _log.warning("the dashboard's figures are not updated: %s: %s", type(error).__name__, error)
        seconds = time.monotonic() - started
        self._drawn, self._next_at = status.finished, started + max(INTERVAL_SECONDS, seconds / MAX_SHARE)

    def _is_due(self, finished: int, is_last: bool) -> bool:
        """Whether no other process has drawn these trials or has drawn recently. If due, marks them as drawn."""
        storage, study_id = self._study.study._storage, self._study.study._study_id
        last = storage.get_study_system_attrs(study_id).get(_DRAWN_KEY, {"finished": 0, "at": 0.0})
        is_recent = 0 <= time.time() - last["at"] < INTERVAL_SECONDS
        if finished == last["finished"] or (is_recent and not is_last):
            return False
        storage.set_study_system_attr(study_id, _DRAWN_KEY, {"finished": finished, "at": time.time()})
        return True

    def _draw(self) -> None:
        from nlb_search.search.charts.plotly_drawing import draw  # imports plotly: only when there is something to draw

        figures = {chart.name: draw(chart).to_json() for chart in running_charts(self._study)}
        with writing_texts(self._study) as texts:
            for name, figure in figures.items():
                texts.save_figure(name, figure)
