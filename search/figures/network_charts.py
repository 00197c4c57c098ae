"""Charts of the best trial's networks: predicted rates beside true spikes, and the score of each held-out neuron."""

import numpy as np
import torch

from nlb_search.data.recording import Recording
from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.search.charts.chart import BLUE, Chart, Panel, Series, single
from nlb_search.search.charts.trial_charts import spikes_and_rates
from nlb_search.search.ensembles.finalists import load_finalist
from nlb_search.search.publishing.study_charts import CO_BPS
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.trial_scores import complete_trials
from nlb_search.search.workers.devices import training_device


def network_charts(study: OpenStudy, recording: Recording) -> list[Chart]:
    """The charts of the best trial's networks, none if no trial is complete.

    Raises SearchError or StorageError if the trial's checkpoint cannot be read.
    """
    best = next(iter(complete_trials(study.study)), None)
    if best is None:
        return []
    finalist, val = load_finalist(study, best), counts_of(recording.val)
    heldout = (slice(None), slice(val.sizes.n_window), slice(val.sizes.n_heldin, None))
    rates_BWN = finalist.rates(val.heldin_BWI.to(training_device())).cpu()[heldout]
    spikes_BWN = val.target_BTN[heldout]
    return [
        spikes_and_rates(best.number, np.nan_to_num(spikes_BWN.numpy()), rates_BWN.numpy(), recording.bin_ms),
        neuron_scores(best.number, rates_BWN, spikes_BWN),
    ]


def neuron_scores(number: int, rates_BWN: torch.Tensor, spikes_BWN: torch.Tensor) -> Chart:
    """co-bps of each held-out neuron alone, highest first, without neurons that never spike.

    ``rates_BWN`` are spikes per bin and ``spikes_BWN`` counts, NaN where unknown: trials x window bins x neurons.
    """
    each = [
        bits_per_spike(rates_BWN[..., neuron : neuron + 1], spikes_BWN[..., neuron : neuron + 1]).item()
        for neuron in range(spikes_BWN.shape[2])
    ]
    scores = sorted(((score, neuron) for neuron, score in enumerate(each) if np.isfinite(score)), reverse=True)
    bars = Series(
        "bar",
        list(range(1, len(scores) + 1)),
        [score for score, _ in scores],
        color=BLUE,
        text=[f"neuron {neuron}" for _, neuron in scores],
    )
    panel = Panel((bars,), "", "held-out neuron, highest score first", CO_BPS)
    return single("neurons", f"Trial {number}: score of each held-out neuron", panel)
