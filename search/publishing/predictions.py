"""What a trial's network predicts on val, and its charts."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.scoring.interval_correlation import IntervalTargets, rate_speeds, tp_correlation
from nlb_search.models.scoring.psth import PsthTargets, condition_averages, psth_r2_of
from nlb_search.models.scoring.velocity_decoding import VelocityTargets, velocity_r2_of
from nlb_search.search.charts.chart import Chart
from nlb_search.search.charts.prediction_charts import (
    decoded_velocity,
    neuron_scores,
    speed_and_interval,
    trial_averages,
)
from nlb_search.search.charts.trial_charts import spikes_and_rates
from nlb_search.search.scoring.targets import Targets


@dataclass(frozen=True)
class Predictions:
    """Predicted rates of trial ``number`` on val, with the targets to compare them with, on one device.

    ``rates_BWN`` are spikes per bin in the window, of the held-in neurons and then the held-out ones, and
    ``spikes_BWN`` the counts of the held-out neurons, NaN where unknown. ``velocity_errors_MBWC`` are the true minus
    the decoded velocities, as from ``decoded_velocity_errors``; None if they are not known.
    """

    number: int
    rates_BWN: Tensor
    spikes_BWN: Tensor
    targets: Targets
    velocity_errors_MBWC: Tensor | None
    bin_ms: int

    @property
    def heldout_BWN(self) -> Tensor:
        """The rates of the held-out neurons."""
        return self.rates_BWN[..., self.n_heldin :]

    @property
    def n_heldin(self) -> int:
        return self.rates_BWN.shape[2] - self.spikes_BWN.shape[2]


def rates_chart(predictions: Predictions) -> Chart:
    """Spikes beside rates, for every complete trial."""
    spikes_BWN, rates_BWN = predictions.spikes_BWN.nan_to_num().cpu().numpy(), predictions.heldout_BWN.cpu().numpy()
    return spikes_and_rates(predictions.number, spikes_BWN, rates_BWN, predictions.bin_ms)


def detailed_charts(predictions: Predictions) -> Iterator[Chart]:
    """Scores of neurons, trial averages and decoded behaviour, as far as the recording has targets for them."""
    targets = predictions.targets
    yield _neurons(predictions)
    if targets.averages is not None:
        yield _averages(predictions, targets.averages)
    if targets.velocities is not None and predictions.velocity_errors_MBWC is not None:
        yield _velocity(predictions, predictions.velocity_errors_MBWC, targets.velocities[1])
    if targets.timing is not None:
        yield _interval(predictions, targets.timing)


def _neurons(predictions: Predictions) -> Chart:
    rates_BWN, spikes_BWN = predictions.heldout_BWN, predictions.spikes_BWN
    neurons = range(spikes_BWN.shape[2])
    scores = [bits_per_spike(rates_BWN[..., [neuron]], spikes_BWN[..., [neuron]]) for neuron in neurons]
    return neuron_scores(predictions.number, torch.stack(scores).cpu().numpy(), neurons)


def _averages(predictions: Predictions, averages: PsthTargets) -> Chart:
    heldout = (..., slice(predictions.n_heldin, None))
    predicted_KWN = condition_averages(predictions.rates_BWN, averages)
    return trial_averages(
        predictions.number,
        averages.psth_KWN[heldout].cpu().numpy(),
        predicted_KWN[heldout].cpu().numpy(),
        psth_r2_of(predicted_KWN, averages),
        predictions.bin_ms,
    )


def _velocity(predictions: Predictions, errors_MBWC: Tensor, val: VelocityTargets) -> Chart:
    decoded_BWC = val.velocity_BWC - errors_MBWC.nanmean(dim=0)
    true_BWC, r2 = val.velocity_BWC.cpu().numpy(), velocity_r2_of(errors_MBWC, val)
    return decoded_velocity(predictions.number, true_BWC, decoded_BWC.cpu().numpy(), r2, predictions.bin_ms)


def _interval(predictions: Predictions, timing: IntervalTargets) -> Chart:
    known_B = ~torch.isnan(timing.condition_BC).any(dim=1)
    _, condition_B = torch.unique(timing.condition_BC[known_B], dim=0, return_inverse=True)
    speed_B, interval_B = rate_speeds(predictions.rates_BWN, timing)[known_B], timing.interval_B[known_B]
    return speed_and_interval(
        predictions.number,
        speed_B.cpu().numpy(),
        interval_B.cpu().numpy(),
        condition_B.cpu().numpy(),
        tp_correlation(predictions.rates_BWN, timing),
    )
