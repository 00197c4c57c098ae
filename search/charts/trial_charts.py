"""Charts of one trial: its learning curve, and spikes of held-out neurons with their predicted rates."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nlb_search.search.charts.chart import BLACK, BLUE, VERMILLION, Chart, Panel, Series, single

Array = npt.NDArray[Any]

TRIALS, NEURONS = 3, 4
"""Numbers of val trials and of held-out neurons that are shown."""

_EVENTS_BELOW = 0.12
"""Distance of the spikes below the axis, as a fraction of the highest rate."""


def learning_curve(number: int, scores: Mapping[int, float]) -> Chart:
    """co-bps on val by epoch. The best evaluation, whose network is saved, is marked."""
    epochs = sorted(scores)
    values = [scores[epoch] for epoch in epochs]
    best = int(np.nanargmax(values))
    found = f"best: {values[best]:.4f} at epoch {epochs[best]}"
    series = (
        Series("line", epochs, values, color=BLUE),
        Series("scatter", epochs[best : best + 1], values[best : best + 1], name=found, color=VERMILLION),
    )
    return single("curve", f"Trial {number}: learning curve", Panel(series, "", "epoch", "co-bps on val"))


def spikes_and_rates(number: int, spikes_BTN: Array, rates_BTN: Array, bin_ms: int) -> Chart:
    """True spikes and predicted rates of some val trials and held-out neurons in the window.

    ``spikes_BTN`` are counts, 0 where unknown, and ``rates_BTN`` spikes per bin, both trials x bins x held-out neurons.
    Trials are spaced evenly; the neurons are those with the most spikes, because rare spikes show little.
    """
    n_trials, n_bins, _ = spikes_BTN.shape
    neurons = np.argsort(-spikes_BTN.sum(axis=(0, 1), dtype=np.float64), kind="stable")[:NEURONS]
    trials = np.unique(np.linspace(0, n_trials - 1, TRIALS).round().astype(int))
    ms_T = (np.arange(n_bins) + 0.5) * bin_ms
    hertz_BTN = rates_BTN * (1000 / bin_ms)

    def panel(row: int, trial: int) -> Panel:
        neuron = int(neurons[row])
        # One height for all panels of a row, so that trials can be compared.
        highest = max(float(hertz_BTN[trials][:, :, neuron].max()), 1e-3)
        spiking = _times(spikes_BTN[trial, :, neuron], bin_ms)
        below = np.full(len(spiking), -_EVENTS_BELOW * highest)
        named = bool(row == 0 and trial == trials[0])
        return Panel(
            (
                Series("line", ms_T.tolist(), hertz_BTN[trial, :, neuron].tolist(), "predicted rate" * named, BLUE),
                Series("line", ms_T[[0, -1]].tolist(), [highest, highest], color="none"),
                Series("events", spiking, below.tolist(), "true spikes" * named, BLACK),
            ),
            title=f"val trial {trial}" if row == 0 else "",
            x_label="time in the window (ms)" if row == len(neurons) - 1 else "",
            y_label=f"neuron {neuron}\nspikes/s" if trial == trials[0] else "",
        )

    grid = tuple(tuple(panel(row, int(trial)) for trial in trials) for row in range(len(neurons)))
    return Chart("rates", f"Trial {number}: spikes and predicted rates of held-out neurons", grid)


def _times(spikes_T: Array, bin_ms: int) -> list[float]:
    """Times of spikes in ms, spread evenly over their bins: a bin has no order of its own."""
    return [
        (bin_number + (spike + 0.5) / count) * bin_ms
        for bin_number, count in enumerate(spikes_T.astype(int).tolist())
        for spike in range(count)
    ]
