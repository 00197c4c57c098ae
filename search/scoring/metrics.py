"""The benchmark's metrics other than bits per spike, fast enough to compute for every complete trial."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

import torch

from nlb_search.models.architecture.network import Network, predict, trials_at_once
from nlb_search.models.scoring.decoding import psth_r2, tp_correlation, velocity_r2
from nlb_search.models.tensors import Counts
from nlb_search.search.scoring.targets import Targets

_log = logging.getLogger(__name__)


def metrics_of(network: Network, train: Counts, val_rates_BTN: torch.Tensor, targets: Targets) -> dict[str, float]:
    """Compute ``vel_r2``, ``psth_r2`` and ``tp_corr``, as far as the recording has targets for them.

    ``val_rates_BTN`` are the predicted rates of val: trials x bins x neurons, in spikes per bin. A metric that cannot
    be computed is left out and logged: the trial is still complete.
    """
    metrics = {}
    for name, compute in _computable(network, train, val_rates_BTN[:, : train.sizes.n_window], targets):
        try:
            value = compute()
        except Exception as error:
            _log.warning("%s cannot be computed: %s", name, error)
            continue
        if math.isfinite(value):
            metrics[name] = value
        else:
            _log.warning("%s cannot be computed: its value is %s", name, value)
    return metrics


def mean_metrics(metrics_K: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each metric over several networks; a metric that one of them lacks is left out."""
    shared = [name for name in metrics_K[0] if all(name in metrics for metrics in metrics_K)]
    return {name: fmean(metrics[name] for metrics in metrics_K) for name in shared}


def _computable(
    network: Network, train: Counts, val_BWN: torch.Tensor, targets: Targets
) -> Iterator[tuple[str, Callable[[], float]]]:
    velocities, averages, timing = targets.velocities, targets.averages, targets.timing
    if velocities is not None:
        yield "vel_r2", lambda: velocity_r2(window_rates([network], train), velocities[0], val_BWN, velocities[1])
    if averages is not None:
        yield "psth_r2", lambda: psth_r2(val_BWN, averages)
    if timing is not None:
        yield "tp_corr", lambda: tp_correlation(val_BWN, timing)


def window_rates(networks: Sequence[Network], counts: Counts) -> Iterator[torch.Tensor]:
    """The mean rates of all neurons in the window, a batch of trials at a time to save memory."""
    for heldin_BWI in torch.split(counts.heldin_BWI, trials_at_once(counts.counts_BTN.device)):
        rates_KBTN = torch.stack([predict(network, heldin_BWI) for network in networks])
        yield rates_KBTN.mean(dim=0)[:, : counts.sizes.n_window]
