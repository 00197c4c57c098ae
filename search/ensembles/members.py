"""The trials that are exported as one model, with their weights in the mean of rates."""

import logging
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from nlb_search.models.scoring.bits_per_spike import Gains, Scored
from nlb_search.models.tensors import with_nan
from nlb_search.search.ensembles.ensemble_selection import co_bps_added, select_ensemble
from nlb_search.search.ensembles.finalists import Finalist, load_finalist
from nlb_search.search.ensembles.searched_recording import SearchedRecording
from nlb_search.search.ensembles.selection import Selection, select
from nlb_search.search.export_options import AUTO
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.rescoring.rescoring import rescored_means
from nlb_search.search.workers.devices import training_device
from nlb_search.storage.database.retrying import DatabaseRetry

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """A finalist and its weight in the mean of rates; the weights of an ensemble sum to 1.

    ``added`` is what it adds to the co-bps of the ensemble on val. ``rescored`` is its mean co-bps over the folds of
    ``rescore``, or None if it was not rescored.
    """

    finalist: Finalist
    weight: float
    added: float
    rescored: float | None


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The members, with the highest weight first, and the gains of their mean rates on val, as the search trained them.

    A single trial is an ensemble of one member.
    """

    members: tuple[Member, ...]
    gains: Gains

    @property
    def co_bps(self) -> float:
        """co-bps of the mean rates on val."""
        return self.gains.bits_per_spike.item()


def ensemble_of(searched: SearchedRecording, selection: Selection, retry: DatabaseRetry) -> Ensemble:
    """The selected trials with their weights: equal ones, or those of ``select_ensemble``.

    Raises SearchError if the studies have too few trials, or if a network is missing.
    """
    chosen = retry.call(partial(select, searched.studies, selection))
    finalists = [load_finalist(one.study, one.trial) for one in chosen]
    rescored = {study.name: retry.call(partial(rescored_means, study)) for study in searched.studies}
    rates_MBTN, spikes_BTN = _heldout_on_val(searched, finalists)
    if selection.count == AUTO and selection.trial is None:
        weights_M = select_ensemble(rates_MBTN, spikes_BTN)
    else:
        weights_M = torch.full((len(finalists),), 1 / len(finalists))
    added_M = co_bps_added(weights_M, rates_MBTN, spikes_BTN)
    members = [
        Member(finalist, weight, added, rescored[finalist.study.name].get(finalist.trial.number))
        for finalist, weight, added in zip(finalists, weights_M.tolist(), added_M.tolist(), strict=True)
        if weight
    ]
    mean_BTN = torch.einsum("m,mbtn->btn", weights_M, rates_MBTN)
    ensemble = Ensemble(tuple(sorted(members, key=lambda one: -one.weight)), Scored(spikes_BTN).gains(mean_BTN))
    _log_members(ensemble, searched)
    return ensemble


def _heldout_on_val(searched: SearchedRecording, finalists: list[Finalist]) -> tuple[Tensor, Tensor]:
    """The rates of each finalist and the spikes on val, in the window, of the held-out neurons."""
    val = counts_of(searched.recording.val)
    heldout = (slice(None), slice(val.sizes.n_window), slice(val.sizes.n_heldin, None))
    heldin = val.heldin_BWI.to(training_device())
    rates_MBTN = torch.stack([finalist.rates(heldin).cpu()[heldout] for finalist in finalists])
    return rates_MBTN, with_nan(val.counts_BTN[heldout])


def _log_members(ensemble: Ensemble, searched: SearchedRecording) -> None:
    several = len(ensemble.members) > 1
    for member in ensemble.members:
        finalist = member.finalist
        share = f", weight {member.weight:.2f}, adds {member.added:.4f}" if several else ""
        _log.info(
            "%s: trial %d, %s, co-bps %.4f on val%s",
            finalist.study.name,
            finalist.trial.number,
            finalist.architecture,
            finalist.progress.co_bps,
            share,
        )
    if several:
        group, count = searched.recording.group, len(ensemble.members)
        _log.info("%s: the mean of %d trials has co-bps %.4f on val", group, count, ensemble.co_bps)
