"""The co-bps of the smoothing baseline on val, which a search should exceed."""

import warnings

from nlb_search.data.recording import Recording
from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.scoring.smoothing_baseline import smoothed_rates
from nlb_search.search.recording_tensors import counts_of

QUICK_PRODUCTS = 3e10
"""Train bins x squared held-in neurons x held-out neurons, up to which the baseline is fitted within seconds."""


def smoothing_co_bps(recording: Recording) -> float:
    """co-bps on val of the baseline fitted on train; NaN if the held-out neurons of val have no spike."""
    train, val = counts_of(recording.train), counts_of(recording.val)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about neurons with few spikes, whose regression does not converge
        rates_BWH = smoothed_rates(train, val.heldin_BWI, recording.bin_ms)
    spikes_BWH = val.target_BTN[:, : val.sizes.n_window, val.sizes.n_heldin :]
    return bits_per_spike(rates_BWH, spikes_BWH).item()


def is_quick(recording: Recording) -> bool:
    """Whether ``smoothing_co_bps`` takes seconds, so that a command may compute it without being asked to."""
    sizes = counts_of(recording.val).sizes
    n_bins = recording.train.n_trials * sizes.n_window
    return n_bins * sizes.n_heldin**2 * sizes.n_heldout <= QUICK_PRODUCTS
