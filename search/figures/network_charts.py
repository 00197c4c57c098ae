"""Charts of the best trial's networks: what their mean predicts on val."""

from nlb_search.data.recording import Recording
from nlb_search.models.scoring.bits_per_spike import heldout
from nlb_search.search.charts.chart import Chart
from nlb_search.search.ensembles.finalists import load_finalist
from nlb_search.search.publishing.predictions import Predictions, detailed_charts, rates_chart
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.scoring.metrics import window_rates
from nlb_search.search.scoring.targets import targets_of
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
    finalist, device = load_finalist(study, best), training_device()
    train, val = counts_of(recording.train).to(device), counts_of(recording.val).to(device)
    predictions = Predictions(
        number=best.number,
        rates_BWN=finalist.rates(val.heldin_BWI)[:, : val.sizes.n_window],
        spikes_BWN=heldout(val).observed,
        targets=targets_of(recording, device),
        train_rates=lambda: window_rates(finalist.networks, train),
        bin_ms=recording.bin_ms,
    )
    return [rates_chart(predictions), *detailed_charts(predictions)]
