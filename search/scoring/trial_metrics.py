"""The benchmark's metrics other than bits per spike, fast enough to compute for every complete trial."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

import torch

from nlb_search.models.architecture.network import Network, predict, trials_at_once
from nlb_search.models.scoring.interval_correlation import tp_correlation
from nlb_search.models.scoring.psth import psth_r2
from nlb_search.models.scoring.velocity_decoding import velocity_errors, velocity_r2_of
from nlb_search.models.tensors import Counts
from nlb_search.search.scoring.targets import Targets

_log = logging.getLogger(__name__)


def decoded_velocity_errors(
    network: Network, train: Counts, val_BWN: torch.Tensor, targets: Targets
) -> torch.Tensor | None:
    """The errors of velocity decoded from the network's rates, as from ``velocity_errors``.

    ``val_BWN`` are its rates on val in the window, in spikes per bin. None if the recording has no velocity, or if the
    errors cannot be computed, which is logged: the trial is still complete.
    """
    if targets.velocities is None:
        return None
    of_train, of_val = targets.velocities
    try:
        return velocity_errors(window_rates([network], train), of_train, val_BWN, of_val)
    except Exception as error:
        _log.warning("vel_r2 cannot be computed: %s", error)
        return None


def metrics_of(val_BWN: torch.Tensor, errors_MBWC: torch.Tensor | None, targets: Targets) -> dict[str, float]:
    """Compute ``vel_r2``, ``psth_r2`` and ``tp_corr``, as far as the recording has targets for them.

    ``val_BWN`` are predicted rates of val in the window, in spikes per bin, and ``errors_MBWC`` the errors of the
    velocity decoded from them. If a metric cannot be computed, it is left out, and the reason is logged.
    """
    metrics = {}
    for name, compute in _computable(val_BWN, errors_MBWC, targets):
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


def mean_velocity_errors(errors_K: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    """The errors of the mean of the velocities that several networks decode; None if one of them has none."""
    known = [errors_MBWC for errors_MBWC in errors_K if errors_MBWC is not None]
    return torch.stack(known).mean(dim=0) if len(known) == len(errors_K) else None


def _computable(
    val_BWN: torch.Tensor, errors_MBWC: torch.Tensor | None, targets: Targets
) -> Iterator[tuple[str, Callable[[], float]]]:
    velocities, averages, timing = targets.velocities, targets.averages, targets.timing
    if velocities is not None and errors_MBWC is not None:
        yield "vel_r2", lambda: velocity_r2_of(errors_MBWC, velocities[1])
    if averages is not None:
        yield "psth_r2", lambda: psth_r2(val_BWN, averages)
    if timing is not None:
        yield "tp_corr", lambda: tp_correlation(val_BWN, timing)


def window_rates(networks: Sequence[Network], counts: Counts) -> Iterator[torch.Tensor]:
    """The mean rates of all neurons in the window, a batch of trials at a time to save memory."""
    for heldin_BWI in torch.split(counts.heldin_BWI, trials_at_once(counts.counts_BTN.device)):
        rates_KBTN = torch.stack([predict(network, heldin_BWI) for network in networks])
        yield rates_KBTN.mean(dim=0)[:, : counts.sizes.n_window]
