"""Attaches pictures to a trial that is about to complete."""

import logging
from collections.abc import Iterator
from pathlib import Path

from nlb_search.search.charts.chart import Chart
from nlb_search.search.charts.svg_drawing import draw
from nlb_search.search.charts.trial_charts import learning_curve
from nlb_search.search.publishing.predictions import Predictions, detailed_charts, rates_chart
from nlb_search.search.trials.trial_scores import complete_trials, score_of
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.database.trial_cache import cached_trials
from nlb_search.storage.pictures import attach_picture

_log = logging.getLogger(__name__)


def attach_pictures(claim: Claim, folder: Path, score: float, predictions: Predictions) -> None:
    """Draw the pictures of a running trial and store them in the study's ``folder``.

    Every trial has its learning curve, and spikes beside rates. A trial whose ``score`` (co-bps on val) is higher than
    that of all complete trials has detailed pictures too, and so the best trial of a study always has them. Any failure
    is logged and ignored, so that the trial still completes.
    """
    number = claim.number
    try:
        for chart in _charts(claim, score, predictions):
            attach_picture(claim.trial, folder, f"trial-{number:05d}-{chart.name}.svg", draw(chart))
    except Exception as error:
        _log.warning("trial %d lacks pictures: %s: %s", number, type(error).__name__, error)


def _charts(claim: Claim, score: float, predictions: Predictions) -> Iterator[Chart]:
    yield learning_curve(claim.number, claim.scores)
    yield rates_chart(predictions)
    if _is_best(claim, score):
        yield from detailed_charts(predictions)


def _is_best(claim: Claim, score: float) -> bool:
    with cached_trials(claim.study):  # a trial that is missing makes more trials the best, not fewer
        return score > max(map(score_of, complete_trials(claim.study)), default=float("-inf"))
