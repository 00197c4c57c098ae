"""The trials that are exported as one model, with their weights in the mean of rates."""

import logging
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from nlb_search.models.scoring.bits_per_spike import Gains, ScoredSpikes
from nlb_search.models.tensors import Counts, Sizes, with_nan
from nlb_search.search.ensembles.ensemble_selection import co_bps_added, select_ensemble
from nlb_search.search.ensembles.loaded_trial import LoadedTrial, load_trial
from nlb_search.search.ensembles.searched_recording import SearchedRecording
from nlb_search.search.ensembles.trial_selection import Selection, StudyTrial, select
from nlb_search.search.export_options import AUTO
from nlb_search.search.networks.saved_networks import load_rates
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.rescoring.rescoring import rescored_means
from nlb_search.search.workers.devices import training_device
from nlb_search.storage.database.retrying import DatabaseRetry

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """A trial and its weight in the mean of rates; the weights of an ensemble sum to 1.

    ``added`` is what it adds to the co-bps of the ensemble on val. ``rescored`` is its mean co-bps over the folds of
    ``rescore``, or None if it was not rescored.
    """

    loaded: LoadedTrial
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
    rescored = {study.name: retry.call(partial(rescored_means, study)) for study in searched.studies}
    val = counts_of(searched.recording.val)
    spikes_BTN = with_nan(_heldout(val.counts_BTN, val.sizes))
    if selection.count == AUTO and selection.trial is None:
        weights_M = select_ensemble((_rates_on_val(one, val) for one in chosen), spikes_BTN)
        chosen = [chosen[index] for index in weights_M.nonzero().flatten()]
        weights_M = weights_M[weights_M > 0]
    else:
        weights_M = torch.full((len(chosen),), 1 / len(chosen))
    # Stored rates have half precision, which is enough to select members. Displayed scores are computed from the
    # networks.
    trials = [load_trial(one.study, one.trial) for one in chosen]
    rates_MBTN = torch.stack([_heldout_rates(loaded, val) for loaded in trials])
    added_M = co_bps_added(weights_M, rates_MBTN, spikes_BTN)
    members = [
        Member(loaded, weight, added, rescored[loaded.study.name].get(loaded.trial.number))
        for loaded, weight, added in zip(trials, weights_M.tolist(), added_M.tolist(), strict=True)
    ]
    mean_BTN = torch.einsum("m,mbtn->btn", weights_M, rates_MBTN)
    ensemble = Ensemble(tuple(sorted(members, key=lambda one: -one.weight)), ScoredSpikes(spikes_BTN).gains(mean_BTN))
    _log_members(ensemble, searched)
    return ensemble


def _rates_on_val(chosen: StudyTrial, val: Counts) -> Tensor:
    """The mean rates of a trial's networks for the held-out neurons in the window."""
    stored = load_rates(chosen.study, chosen.trial)
    return _heldout_rates(load_trial(chosen.study, chosen.trial), val) if stored is None else stored


def _heldout_rates(loaded: LoadedTrial, val: Counts) -> Tensor:
    return _heldout(loaded.rates(val.heldin_BWI.to(training_device())).cpu(), val.sizes)


def _heldout(of_all_BTN: Tensor, sizes: Sizes) -> Tensor:
    return of_all_BTN[:, : sizes.n_window, sizes.n_heldin :]


def _log_members(ensemble: Ensemble, searched: SearchedRecording) -> None:
    several = len(ensemble.members) > 1
    for member in ensemble.members:
        loaded = member.loaded
        share = f", weight {member.weight:.2f}, adds {member.added:.4f}" if several else ""
        _log.info(
            "%s: trial %d, %s, co-bps %.4f on val%s",
            loaded.study.name,
            loaded.trial.number,
            loaded.architecture,
            loaded.evaluation.co_bps,
            share,
        )
    if several:
        group, count = searched.recording.group, len(ensemble.members)
        _log.info("%s: the mean of %d trials has co-bps %.4f on val", group, count, ensemble.co_bps)
