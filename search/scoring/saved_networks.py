"""What a complete trial keeps beside the database: its best network, and what each val trial adds to its score."""

from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from torch import Tensor

from nlb_search.models.scoring.bits_per_spike import Gains
from nlb_search.search.errors import SearchError
from nlb_search.search.study.opening import OpenStudy
from nlb_search.storage.checkpoints import Checkpoint, load_checkpoint, save_checkpoint

_NETWORK, _VAL = "network.", "val."


def save_network(path: Path, weights: dict[str, Tensor], gains: Gains, facts: dict[str, Any]) -> None:
    """Write a trial's checkpoint: the network's weights, its gains on val, and the facts about both."""
    tensors = {f"{_NETWORK}{name}": tensor for name, tensor in weights.items()}
    tensors |= {f"{_VAL}gain_B": gains.gain_B, f"{_VAL}spikes_B": gains.spikes_B}
    save_checkpoint(path, Checkpoint({name: tensor.cpu() for name, tensor in tensors.items()}, facts))


def load_network(study: OpenStudy, trial: FrozenTrial) -> Checkpoint:
    """The weights of a complete trial's best network, by their names in it, and the facts about the trial.

    Raises SearchError when the checkpoint is not there or another trial's, StorageError when it is damaged.
    """
    return _kept(study, trial, _NETWORK)


def load_gains(study: OpenStudy, trial: FrozenTrial) -> Gains:
    """What each val trial adds to a complete trial's co-bps. Raises as ``load_network`` does."""
    return Gains(**_kept(study, trial, _VAL).tensors)


def _kept(study: OpenStudy, trial: FrozenTrial, part: str) -> Checkpoint:
    """One part of a trial's checkpoint, its tensors by their names within the part."""
    path = study.checkpoints.best(trial.number)
    try:
        checkpoint = load_checkpoint(path, part)
    except FileNotFoundError:
        raise SearchError(
            f"the checkpoint of trial {trial.number} is not at {path}: "
            "give the folder that the workers wrote to with --artifacts"
        ) from None
    facts = checkpoint.facts
    if facts["content_hash"] != study.spec.content_hash or facts["progress"]["co_bps"] != trial.value:
        raise SearchError(
            f"the checkpoint {path} is not that of trial {trial.number}: its co-bps is {facts['progress']['co_bps']}, "
            f"and the trial's {trial.value}; give the folder that the workers wrote to with --artifacts"
        )
    if not checkpoint.tensors:
        raise SearchError(
            f"the checkpoint {path} is of another version of nlb-search: use the one that its workers ran"
        )
    return Checkpoint({name.removeprefix(part): tensor for name, tensor in checkpoint.tensors.items()}, facts)


def remove_unused_checkpoints(study: OpenStudy) -> None:
    """Remove checkpoints that a worker left when it was killed between finishing its trial and tidying up."""
    for trial in study.study.get_trials(deepcopy=False):
        if trial.state == TrialState.COMPLETE:
            study.checkpoints.forget_running(trial.number)
        elif trial.state.is_finished():
            study.checkpoints.forget(trial.number)
