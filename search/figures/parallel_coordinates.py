"""Parallel coordinates: the settings of every trial of a chain, and which of them the best trials share."""

import math
from collections.abc import Sequence
from typing import Any

from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial

from nlb_search.models.hyperparameters import shown
from nlb_search.search.charts.chart import BLACK, BLUE, GREY, VERMILLION, Chart, Panel, Series, single
from nlb_search.search.publishing.score_charts import finished_trials
from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE, settings_of_parameters
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.trials.trial_scores import network_score

FEWEST_TRIALS = 4
"""Number of finished trials of a chain below which nothing is drawn."""

_ABOVE = 0.26
"""Distance of a written value from its axis, as a fraction of the distance between axes."""


def parallel_coordinates(study: OpenStudy) -> list[Chart]:
    """One chart for each chain with enough finished trials, because chains have different settings."""
    finished = [trial for trial in finished_trials(study) if trial.intermediate_values]
    charts = []
    for number, chain in enumerate(study.spec.architectures):
        of_chain = [trial for trial in finished if study.spec.architecture_of(trial.params) == chain]
        if len(of_chain) >= FEWEST_TRIALS:
            charts.append(_of_chain(f"settings-{number}", chain, of_chain))
    return charts


def _of_chain(name: str, chain: str, trials: list[FrozenTrial]) -> Chart:
    trials = sorted(trials, key=network_score)
    settings = [settings_of_parameters(trial.params) for trial in trials]
    shared = [key for key in settings[-1] if key != ARCHITECTURE and all(key in each for each in settings)]
    varied = [key for key in shared if len({each[key] for each in settings}) > 1][::-1]  # the first axis is at the top
    axes = [_positions([each[key] for each in settings], key, trials) for key in varied]
    n_best = max(1, len(trials) // 4)
    series = []
    for rank, trial in enumerate(trials, start=1):
        best, among_best = rank == len(trials), rank > len(trials) - n_best
        color, width = (VERMILLION, 2.5) if best else (BLUE, 1.2) if among_best else (GREY, 0.7)
        legend = {1: "others", len(trials) - n_best + 1: "best quarter", len(trials): f"best (trial {trial.number})"}
        x = [position[rank - 1] for position, _ in axes]
        series.append(Series("line", x, list(range(len(axes))), legend.get(rank, ""), color, width))
    for height, (_, ticks) in enumerate(axes):
        x = list(ticks)
        # Long rows of values alternate above and below their axis.
        y = [height + _ABOVE * (-1 if n % 2 and len(ticks) > 2 else 1) for n in range(len(ticks))]
        series.append(Series("text", x, y, color=BLACK, text=list(ticks.values())))
    # Room for the values that are written beside the first and the last axis.
    series.append(Series("line", [0.0, 1.0], [-2 * _ABOVE, len(axes) - 1 + 2 * _ABOVE], color="none"))
    panel = Panel(tuple(series), "", "position between the lowest and the highest value", categories=tuple(varied))
    return single(name, f"Settings of {chain}", panel, f"{len(trials)} finished trials, by their best co-bps on val")


def _positions(values: Sequence[Any], key: str, trials: list[FrozenTrial]) -> tuple[list[float], dict[float, str]]:
    """The position of each trial's value between 0 and 1, and the values to write, by position.

    Values that are sampled on a logarithmic scale are shown on one. A setting of 0 beside such values is at the left.
    """
    distribution = next((trial.distributions[key] for trial in trials if key in trial.distributions), None)
    if distribution is None or isinstance(distribution, CategoricalDistribution):
        each = sorted(set(values), key=lambda value: (isinstance(value, str), value))
        at = {value: n / max(1, len(each) - 1) for n, value in enumerate(each)}
        return [at[value] for value in values], {at[v]: v if isinstance(v, str) else shown(v) for v in each}
    positive = [value for value in values if value > 0] if getattr(distribution, "log", False) else values
    scale = math.log if getattr(distribution, "log", False) else float
    low, high = min(positive), max(positive)
    start = 0.15 if len(positive) < len(values) else 0.0
    width = (scale(high) - scale(low)) or 1.0

    def position(value: float) -> float:
        return 0.0 if value not in positive else start + (1 - start) * (scale(value) - scale(low)) / width

    zero = {0.0: "0"} if start else {}
    return [position(value) for value in values], zero | {position(low): f"{low:.3g}", position(high): f"{high:.3g}"}
