"""Charts of the best trial's networks: what their mean predicts on val."""

import torch

from nlb_search.data.recording import Recording
from nlb_search.models.architecture.network import predict
from nlb_search.models.scoring.bits_per_spike import scored_heldout
from nlb_search.search.charts.chart import Chart
from nlb_search.search.ensembles.loaded_trial import load_trial
from nlb_search.search.publishing.predictions import Predictions, detailed_charts, rates_chart
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.scoring.targets import targets_of
from nlb_search.search.scoring.trial_metrics import decoded_velocity_errors, mean_velocity_errors
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.trials.trial_scores import complete_trials
from nlb_search.search.workers.devices import training_device


def network_charts(study: OpenStudy, recording: Recording) -> list[Chart]:
    """The charts of the best trial's networks, none if no trial is complete.

    Raises SearchError or StorageError if the trial's checkpoint cannot be read.
    """
    best = next(iter(complete_trials(study.study)), None)
    if best is None:
        return []
    loaded, device = load_trial(study, best), training_device()
    train, val = counts_of(recording.train).to(device), counts_of(recording.val).to(device)
    targets = targets_of(recording, device)
    rates_KBWN = [predict(network, val.heldin_BWI)[:, : val.sizes.n_window] for network in loaded.networks]
    errors_K = [
        decoded_velocity_errors(network, train, rates_BWN, targets)
        for network, rates_BWN in zip(loaded.networks, rates_KBWN, strict=True)
    ]
    predictions = Predictions(
        number=best.number,
        rates_BWN=torch.stack(rates_KBWN).mean(dim=0),
        spikes_BWN=scored_heldout(val).observed,
        targets=targets,
        velocity_errors_MBWC=mean_velocity_errors(errors_K),
        bin_ms=recording.bin_ms,
    )
    return [rates_chart(predictions), *detailed_charts(predictions)]
