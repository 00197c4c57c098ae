"""Attaches pictures to a trial: its learning curve, and spikes beside predicted rates."""

import logging
from collections.abc import Mapping
from pathlib import Path

import optuna
from torch import Tensor

from nlb_search.search.charts.svg_drawing import draw
from nlb_search.search.charts.trial_charts import learning_curve, spikes_and_rates
from nlb_search.storage.pictures import attach_picture

_log = logging.getLogger(__name__)


def attach_pictures(
    trial: optuna.Trial,
    folder: Path,
    scores: Mapping[int, float],
    spikes_BTN: Tensor,
    rates_BTN: Tensor,
    bin_ms: int,
) -> None:
    """Draw the pictures of a running trial and store them in the study's ``folder``.

    ``scores`` are co-bps on val by epoch; ``spikes_BTN`` are the counts of val's held-out neurons in the window, 0
    where unknown, and ``rates_BTN`` their predicted rates in spikes per bin. Any failure is logged and ignored: the
    trial is worth more than its pictures.
    """
    try:
        charts = (
            learning_curve(trial.number, scores),
            spikes_and_rates(trial.number, spikes_BTN.cpu().numpy(), rates_BTN.cpu().numpy(), bin_ms),
        )
        for chart in charts:
            attach_picture(trial, folder, f"trial-{trial.number:05d}-{chart.name}.svg", draw(chart))
    except Exception as error:
        _log.warning("trial %d has no pictures: %s: %s", trial.number, type(error).__name__, error)
