"""Checkpoint of a complete or pruned trial: its best networks, and their rates and gains on val."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.errors import SearchError
from nlb_search.search.scoring.bootstrap import Array
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.removed_networks import removed_networks
from nlb_search.search.trials.trial_scores import network_score
from nlb_search.storage.checkpoints import Checkpoint, load_arrays, load_checkpoint, save_checkpoint

if TYPE_CHECKING:
    from torch import Tensor

    from nlb_search.models.scoring.bits_per_spike import Gains

_NETWORK, _VAL = "network", "val."
_GAIN, _SPIKES = f"{_VAL}gain_B", f"{_VAL}spikes_B"
_RATES = "rates_BTN"
_HALF_PRECISION = 2.0**-24, 65504.0
"""Its lowest and highest positive number. A rate of zero would have no logarithm."""

T = TypeVar("T")


@dataclass(frozen=True)
class SavedNetworks:
    """The weights of each network of a trial, by parameter name, and metadata."""

    weights: "tuple[dict[str, Tensor], ...]"
    metadata: dict[str, Any]


def save_networks(
    path: Path, weights: "Sequence[dict[str, Tensor]]", gains: "Gains", rates_BTN: "Tensor", metadata: dict[str, Any]
) -> None:
    """Write a finished trial's checkpoint: its best networks, their gains and rates on val, and metadata.

    ``gains`` and ``rates_BTN`` are means over the networks. The rates are those of the held-out neurons in the window,
    in spikes per bin; they are stored with half precision.
    """
    tensors = {_prefix(index) + name: tensor for index, one in enumerate(weights) for name, tensor in one.items()}
    tensors |= {_GAIN: gains.gain_B, _SPIKES: gains.spikes_B, _RATES: rates_BTN.clamp(*_HALF_PRECISION).half()}
    save_checkpoint(path, Checkpoint({name: tensor.cpu() for name, tensor in tensors.items()}, metadata))


def load_networks(study: OpenStudy, trial: FrozenTrial) -> SavedNetworks:
    """Load the weights of a trial's best networks, and the metadata.

    Raises SearchError if the checkpoint is missing or belongs to another trial, and StorageError if it is damaged.
    """
    checkpoint = _load(study, trial, partial(load_checkpoint, prefix=_NETWORK))
    _check_stored(study, trial, checkpoint.tensors)
    weights = tuple(_with_prefix(checkpoint.tensors, _prefix(index)) for index in range(study.spec.seeds))
    return SavedNetworks(weights, checkpoint.metadata)


def load_rates(study: OpenStudy, trial: FrozenTrial) -> "Tensor | None":
    """Load the mean rates of a trial's networks on val: held-out neurons in the window, B x W x N in spikes per bin.

    Returns None for a trial of a version before 0.8.0, which did not store them. Raises the same errors as
    ``load_networks``.
    """
    checkpoint = _load(study, trial, partial(load_checkpoint, prefix=_RATES))
    rates_BTN = checkpoint.tensors.get(_RATES)
    return None if rates_BTN is None else rates_BTN.float()


def load_gains(study: OpenStudy, trial: FrozenTrial) -> tuple[Array, Array]:
    """Load a trial's gain over the null model in nats and the number of spikes, both per val trial.

    Does not import torch. Raises the same errors as ``load_networks``.
    """
    arrays = _load(study, trial, partial(load_arrays, prefix=_VAL)).tensors
    _check_stored(study, trial, arrays)
    return arrays[_GAIN], arrays[_SPIKES]


def _prefix(index: int) -> str:
    """Prefix of the parameter names of a trial's network. Before 0.6.0, every trial had one network."""
    return f"{_NETWORK}-{index}." if index else f"{_NETWORK}."


def _with_prefix(tensors: "Mapping[str, Tensor]", prefix: str) -> "dict[str, Tensor]":
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _load(study: OpenStudy, trial: FrozenTrial, load: Callable[[Path], Checkpoint[T]]) -> Checkpoint[T]:
    """Load a trial's checkpoint. Raises SearchError if it is missing or belongs to another trial."""
    path = study.checkpoints.best(trial.number)
    try:
        checkpoint = load(path)
    except FileNotFoundError:
        raise _missing(study, trial, path) from None
    metadata, score = checkpoint.metadata, network_score(trial)
    if metadata["content_hash"] != study.spec.content_hash or metadata["progress"]["co_bps"] != score:
        raise SearchError(
            f"the checkpoint {path} does not belong to trial {trial.number}: its co-bps is "
            f"{metadata['progress']['co_bps']}, and the trial's is {score}; "
            "pass the workers' checkpoint folder with --artifacts"
        )
    return checkpoint


def _missing(study: OpenStudy, trial: FrozenTrial, path: Path) -> SearchError:
    if trial.number in removed_networks(study):
        return SearchError(
            f"the network of trial {trial.number} was removed by `nlb-search prune-checkpoints`: choose other trials, "
            "or fewer"
        )
    return SearchError(
        f"the checkpoint of trial {trial.number} is not at {path}: pass the workers' checkpoint folder with --artifacts"
    )


def _check_stored(study: OpenStudy, trial: FrozenTrial, tensors: Mapping[str, Any]) -> None:
    """Raise SearchError if the checkpoint has none of the requested tensors."""
    if not tensors:
        raise SearchError(
            f"the checkpoint {study.checkpoints.best(trial.number)} was written by another version of nlb-search: use "
            "the version that its workers ran"
        )


def remove_unused_checkpoints(study: OpenStudy) -> None:
    """Remove the checkpoints left by workers that were killed between finishing a trial and cleaning up.

    Nothing is removed for a study of version 0.4.0: another study of its name may use the same folder.
    """
    if not study.has_own_folder:
        return
    for trial in study.study.get_trials(deepcopy=False):
        if trial.state == TrialState.FAIL:
            study.checkpoints.forget(trial.number)
        elif trial.state.is_finished():
            study.checkpoints.forget_running(trial.number)


def trials_with_networks(open_study: OpenStudy) -> list[FrozenTrial]:
    """The complete trials, and the pruned ones whose best network was saved; highest score of a network first.

    Trials whose networks were removed to save space are left out.
    """
    removed = removed_networks(open_study)
    trials = open_study.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    saved = [
        trial
        for trial in trials
        if trial.number not in removed
        and (trial.state == TrialState.COMPLETE or open_study.checkpoints.best(trial.number).exists())
    ]
    return sorted(saved, key=lambda trial: -network_score(trial))
