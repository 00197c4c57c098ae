"""The benchmark's metrics of a network beside its co-bps, quick enough to have them for every complete trial."""

import logging
import math
from collections.abc import Callable, Iterator

import torch

from nlb_search.models.architecture.network import Network, predict, trials_at_once
from nlb_search.models.scoring.decoding import psth_r2, tp_correlation, velocity_r2
from nlb_search.models.tensors import Counts
from nlb_search.search.scoring.targets import Targets

_log = logging.getLogger(__name__)


def metrics_of(network: Network, train: Counts, val_rates_BTN: torch.Tensor, targets: Targets) -> dict[str, float]:
    """Those of ``vel_r2``, ``psth_r2`` and ``tp_corr`` that the recording has targets for.

    A metric that cannot be computed is left out and said in the log: a trial is not lost for it.
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
            _log.warning("%s cannot be computed: it is %s", name, value)
    return metrics


def _computable(
    network: Network, train: Counts, val_BWN: torch.Tensor, targets: Targets
) -> Iterator[tuple[str, Callable[[], float]]]:
    velocities, averages, timing = targets.velocities, targets.averages, targets.timing
    if velocities is not None:
        yield "vel_r2", lambda: velocity_r2(_window_rates(network, train), velocities[0], val_BWN, velocities[1])
    if averages is not None:
        yield "psth_r2", lambda: psth_r2(val_BWN, averages)
    if timing is not None:
        yield "tp_corr", lambda: tp_correlation(val_BWN, timing)


def _window_rates(network: Network, counts: Counts) -> Iterator[torch.Tensor]:
    """Rates of all neurons in the window, a batch of trials at a time: those of a whole split take much memory."""
    for heldin_BWI in torch.split(counts.heldin_BWI, trials_at_once(counts.counts_BTN.device)):
        yield predict(network, heldin_BWI)[:, : counts.sizes.n_window]
