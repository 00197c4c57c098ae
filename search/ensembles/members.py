"""The trials of a study that are exported, and their weights in the mean of rates."""

import logging
from dataclasses import dataclass
from functools import partial

import torch

from nlb_search.data.recording import Recording
from nlb_search.models.scoring.bits_per_spike import bits_per_spike
from nlb_search.models.tensors import with_nan
from nlb_search.search.ensembles.ensemble_selection import select_ensemble
from nlb_search.search.ensembles.finalists import Finalist, load_finalist
from nlb_search.search.ensembles.selection import Selection, select
from nlb_search.search.export_options import AUTO
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.workers.devices import training_device
from nlb_search.storage.database.retrying import DatabaseRetry

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """A finalist and its weight in the mean of rates; the weights of an ensemble sum to 1."""

    finalist: Finalist
    weight: float


def select_members(study: OpenStudy, recording: Recording, selection: Selection, retry: DatabaseRetry) -> list[Member]:
    """The selected trials with their weights: equal ones, or those of ``select_ensemble``, highest first."""
    trials = retry.call(partial(select, study, selection))
    finalists = [load_finalist(study, trial) for trial in trials]
    if selection.count != AUTO:
        return [Member(finalist, 1 / len(finalists)) for finalist in finalists]
    val = counts_of(recording.val)
    heldout = (slice(None), slice(val.sizes.n_window), slice(val.sizes.n_heldin, None))
    heldin = val.heldin_BWI.to(training_device())
    rates_MBTN = torch.stack([finalist.rates(heldin).cpu()[heldout] for finalist in finalists])
    spikes_BTN = with_nan(val.counts_BTN[heldout])
    weights_M = select_ensemble(rates_MBTN, spikes_BTN)
    mean_BTN = torch.einsum("m,mbtn->btn", weights_M, rates_MBTN)
    score = bits_per_spike(mean_BTN, spikes_BTN).item()
    members = [
        Member(finalist, weight) for finalist, weight in zip(finalists, weights_M.tolist(), strict=True) if weight
    ]
    _log.info("%s: the mean of %d trials has co-bps %.4f on val", study.name, len(members), score)
    return sorted(members, key=lambda member: -member.weight)
