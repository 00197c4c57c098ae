"""Details of the co-bps of a submission: its uncertainty, each held-out neuron, and few-shot co-bps."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nlb_search.data.recording import UNSEEN, Split
from nlb_search.models.scoring.bits_per_spike import Gains, ScoredSpikes
from nlb_search.search.scoring.bootstrap import ConfidenceInterval, percentile_interval, resampled_co_bps
from nlb_search.search.scoring.few_shot import FewShot, Readout, few_shot_co_bps
from nlb_search.search.scoring.targets import Array
from nlb_search.search.submission.evaluation import Submitted
from nlb_search.search.submission.submission_file import phase_splits


@dataclass(frozen=True)
class NeuronScore:
    """co-bps of one held-out neuron with its 95% bootstrap interval over trials, all NaN if it has no spikes.

    ``unit`` is its id, or its number from 0 if unknown.
    """

    unit: int
    spikes: int
    co_bps: float
    interval: ConfidenceInterval


@dataclass(frozen=True)
class Detail:
    """co-bps with its 95% bootstrap interval over trials, the same of each held-out neuron, and few-shot co-bps."""

    co_bps: float
    interval: ConfidenceInterval
    neurons: tuple[NeuronScore, ...]
    few_shot: tuple[FewShot, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "co-bps": {"value": self.co_bps, "low": self.interval.low, "high": self.interval.high},
            "neurons": [
                {
                    "unit": one.unit,
                    "spikes": one.spikes,
                    "co-bps": one.co_bps,
                    "low": one.interval.low,
                    "high": one.interval.high,
                }
                for one in self.neurons
            ],
            "few-shot co-bps": {str(one.trials): {"mean": one.mean, "sd": one.sd} for one in self.few_shot},
        }


def detail_of(submitted: Submitted) -> Detail:
    """Compute the details of one group of a submission."""
    rates_BWN = _tensor(submitted.rates["eval_rates_heldout"])
    spikes_BWN = _tensor(submitted.targets["eval_spikes_heldout"])
    gains = ScoredSpikes(spikes_BWN).gains(rates_BWN)
    units = submitted.rates.get("heldout_units", np.arange(rates_BWN.shape[2]))
    trained, _ = phase_splits(submitted.recording, submitted.phase)
    readout = Readout(
        train_rates=submitted.rates["train_rates_heldin"].astype(float),
        train_spikes=_heldout_spikes(trained),
        eval_rates=submitted.rates["eval_rates_heldin"].astype(float),
        eval_spikes=spikes_BWN.numpy(),
    )
    return Detail(
        co_bps=gains.bits_per_spike.item(),
        interval=_interval(gains),
        neurons=tuple(
            _neuron(int(unit), rates_BWN[..., [index]], spikes_BWN[..., [index]]) for index, unit in enumerate(units)
        ),
        few_shot=tuple(few_shot_co_bps(readout)),
    )


def _neuron(unit: int, rates_BW1: torch.Tensor, spikes_BW1: torch.Tensor) -> NeuronScore:
    n_spikes = int(torch.nansum(spikes_BW1).item())
    if not n_spikes:
        return NeuronScore(unit, 0, math.nan, ConfidenceInterval(math.nan, math.nan))
    gains = ScoredSpikes(spikes_BW1).gains(rates_BW1)
    return NeuronScore(unit, n_spikes, gains.bits_per_spike.item(), _interval(gains))


def _interval(gains: Gains) -> ConfidenceInterval:
    """The interval over resamples of the trials. Those without any spike, which have no score, are left out."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values_R = resampled_co_bps(gains.gain_B.numpy(), gains.spikes_B.numpy())
    return percentile_interval(values_R[np.isfinite(values_R)])


def _heldout_spikes(split: Split) -> Array:
    """Held-out counts in the window, NaN where they are unknown."""
    heldout = split.heldout
    assert heldout is not None
    return np.where(heldout == UNSEEN, np.nan, heldout)


def _tensor(array: Array) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float64))
