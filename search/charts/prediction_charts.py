"""Charts of what a network predicts: the score of each neuron, trial averages, and decoded behaviour."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nlb_search.search.charts.chart import BLACK, BLUE, PALETTE, VERMILLION, Chart, Panel, Series, single
from nlb_search.search.charts.trial_charts import NEURONS, TRIALS

Array = npt.NDArray[Any]

_MOST_NAMED = 24
"""Number of neurons up to which each bar has its neuron's number below it."""


def neuron_scores(number: int, score_N: Array, neurons: Sequence[int]) -> Chart:
    """co-bps of each held-out neuron alone, highest first. Neurons whose score is not finite are left out."""
    scores = sorted(
        ((float(score), neuron) for score, neuron in zip(score_N, neurons, strict=True) if np.isfinite(score)),
        key=lambda pair: -pair[0],
    )
    bars = Series(
        "bar",
        list(range(len(scores))),
        [score for score, _ in scores],
        color=BLUE,
        text=[f"neuron {neuron}" for _, neuron in scores],
    )
    is_named = len(scores) <= _MOST_NAMED
    names = tuple(str(neuron) for _, neuron in scores) if is_named else ()
    label = "held-out neuron, highest score first" if is_named else "held-out neurons, highest score first"
    panel = Panel((bars,), "", label, "co-bps on val", x_categories=names)
    return single("neurons", f"Trial {number}: score of each held-out neuron", panel)


def trial_averages(number: int, psth_KWN: Array, predicted_KWN: Array, r2: float, bin_ms: int) -> Chart:
    """PSTHs of some conditions and held-out neurons, with the averages of the predicted rates.

    Both are spikes per bin, conditions x bins x held-out neurons; NaN where unknown. ``r2`` is psth R2. The neurons are
    those whose PSTHs vary most; the conditions are spaced evenly among those with val trials.
    """
    known_K = np.flatnonzero(np.isfinite(predicted_KWN).any(axis=(1, 2)) & np.isfinite(psth_KWN).any(axis=(1, 2)))
    conditions = known_K[np.unique(np.linspace(0, len(known_K) - 1, TRIALS).round().astype(int))]
    neurons = np.argsort(-np.nanstd(psth_KWN[known_K], axis=(0, 1)), kind="stable")[:NEURONS]
    ms_W = ((np.arange(psth_KWN.shape[1]) + 0.5) * bin_ms).tolist()
    psth_KWN, predicted_KWN = (averages * (1000 / bin_ms) for averages in (psth_KWN, predicted_KWN))

    def panel(row: int, condition: int) -> Panel:
        neuron = int(neurons[row])
        shown = np.stack([psth_KWN[conditions, :, neuron], predicted_KWN[conditions, :, neuron]])
        first = bool(condition == conditions[0])
        named = row == 0 and first
        return Panel(
            (
                Series("line", ms_W, psth_KWN[condition, :, neuron].tolist(), "PSTH of the spikes" * named, BLACK),
                Series("line", ms_W, predicted_KWN[condition, :, neuron].tolist(), "predicted rates" * named, BLUE),
                # One height for all panels of a row, so that conditions can be compared.
                Series("line", [ms_W[0], ms_W[-1]], [0.0, float(np.nanmax(shown))], color="none"),
            ),
            title=f"condition {condition}" if row == 0 else "",
            x_label="time in the window (ms)" if row == len(neurons) - 1 else "",
            y_label=f"neuron {neuron}\nspikes/s" if first else "",
        )

    grid = tuple(tuple(panel(row, int(condition)) for condition in conditions) for row in range(len(neurons)))
    title = f"Trial {number}: averages of held-out neurons over the val trials of a condition"
    return Chart("psth", title, grid, f"psth R2 over all neurons and conditions: {r2:.4f}")


def decoded_velocity(number: int, true_BWC: Array, decoded_BWC: Array, r2: float, bin_ms: int) -> Chart:
    """True velocity of some val trials, and the velocity that a linear decoder predicts from the rates.

    Both are trials x bins x directions, in the recording's own unit; NaN where unknown. ``r2`` is vel R2.
    """
    known_B = np.flatnonzero(np.isfinite(decoded_BWC).all(axis=2).sum(axis=1) > 1)
    trials = known_B[np.unique(np.linspace(0, len(known_B) - 1, TRIALS).round().astype(int))]
    ms_W = ((np.arange(true_BWC.shape[1]) + 0.5) * bin_ms).tolist()
    directions = "xyz" if true_BWC.shape[2] <= 3 else [f"component {n}" for n in range(true_BWC.shape[2])]

    def panel(direction: int, trial: int) -> Panel:
        shown = np.stack([true_BWC[trials, :, direction], decoded_BWC[trials, :, direction]])
        first = bool(trial == trials[0])
        named = direction == 0 and first
        return Panel(
            (
                Series("line", ms_W, true_BWC[trial, :, direction].tolist(), "true velocity" * named, BLACK),
                Series(
                    "line", ms_W, decoded_BWC[trial, :, direction].tolist(), "decoded from rates" * named, VERMILLION
                ),
                Series("line", [ms_W[0], ms_W[-1]], [float(np.nanmin(shown)), float(np.nanmax(shown))], color="none"),
            ),
            title=f"val trial {trial}" if direction == 0 else "",
            x_label="time in the window (ms)" if direction == true_BWC.shape[2] - 1 else "",
            y_label=f"velocity {directions[direction]}" if first else "",
        )

    grid = tuple(tuple(panel(c, int(trial)) for trial in trials) for c in range(true_BWC.shape[2]))
    title = f"Trial {number}: velocity decoded from the predicted rates, in the recording's unit"
    return Chart("velocity", title, grid, f"vel R2 over all val trials: {r2:.4f}")


def speed_and_interval(number: int, speed_B: Array, interval_B: Array, condition_B: Array, correlation: float) -> Chart:
    """Speed of the rates from set to go against the produced interval in ms, by condition, of val trials.

    Speeds are spikes per bin and bin. ``correlation`` is tp corr, averaged over conditions.
    """
    series = tuple(
        Series(
            "scatter",
            interval_B[condition_B == condition].tolist(),
            speed_B[condition_B == condition].tolist(),
            color=PALETTE[number % len(PALETTE)],
            text=[f"condition {condition}"] * int((condition_B == condition).sum()),
        )
        for number, condition in enumerate(np.unique(condition_B).tolist())
    )
    panel = Panel(series, "", "produced interval tp (ms)", "speed of the rates\n(spikes per bin, each bin)")
    title = f"Trial {number}: speed of the predicted rates and produced interval"
    return single(
        "interval", title, panel, f"tp corr, the mean over conditions: {correlation:.4f}; colours are conditions"
    )
