"""What a complete trial keeps beside the database: its best network, and what each val trial adds to its score."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.errors import SearchError
from nlb_search.search.scoring.bootstrap import Array
from nlb_search.search.study.opening import OpenStudy
from nlb_search.storage.checkpoints import Checkpoint, load_arrays, load_checkpoint, save_checkpoint

if TYPE_CHECKING:
    from torch import Tensor

    from nlb_search.models.scoring.bits_per_spike import Gains

_NETWORK, _VAL = "network.", "val."
_GAIN, _SPIKES = f"{_VAL}gain_B", f"{_VAL}spikes_B"


def save_network(path: Path, weights: "dict[str, Tensor]", gains: "Gains", facts: dict[str, Any]) -> None:
    """Write a trial's checkpoint: the network's weights, its gains on val, and the facts about both."""
    tensors = {f"{_NETWORK}{name}": tensor for name, tensor in weights.items()}
    tensors |= {_GAIN: gains.gain_B, _SPIKES: gains.spikes_B}
    save_checkpoint(path, Checkpoint({name: tensor.cpu() for name, tensor in tensors.items()}, facts))


def load_network(study: OpenStudy, trial: FrozenTrial) -> Checkpoint:
    """The weights of a complete trial's best network, by their names in it, and the facts about the trial.

    Raises SearchError when the checkpoint is missing or belongs to another trial, StorageError when it is damaged.
    """
    path = study.checkpoints.best(trial.number)
    try:
        checkpoint = load_checkpoint(path, _NETWORK)
    except FileNotFoundError:
        raise _missing(trial, path) from None
    _check(study, trial, path, checkpoint.facts, checkpoint.tensors)
    return Checkpoint(
        {name.removeprefix(_NETWORK): tensor for name, tensor in checkpoint.tensors.items()}, facts=checkpoint.facts
    )


def load_gains(study: OpenStudy, trial: FrozenTrial) -> tuple[Array, Array]:
    """A complete trial's gain in nats and the spikes of each val trial, both of the length of val.

    Read without torch. Raises as ``load_network`` does.
    """
    path = study.checkpoints.best(trial.number)
    try:
        arrays, facts = load_arrays(path, _VAL)
    except FileNotFoundError:
        raise _missing(trial, path) from None
    _check(study, trial, path, facts, arrays)
    return arrays[_GAIN], arrays[_SPIKES]


def _missing(trial: FrozenTrial, path: Path) -> SearchError:
    return SearchError(
        f"the checkpoint of trial {trial.number} is not at {path}: "
        "give the folder that the workers wrote to with --artifacts"
    )


def _check(study: OpenStudy, trial: FrozenTrial, path: Path, facts: dict[str, Any], tensors: Mapping[str, Any]) -> None:
    """Raises SearchError unless a checkpoint is that of the trial and has what was asked for."""
    if facts["content_hash"] != study.spec.content_hash or facts["progress"]["co_bps"] != trial.value:
        raise SearchError(
            f"the checkpoint {path} is not that of trial {trial.number}: its co-bps is {facts['progress']['co_bps']}, "
            f"and the trial's {trial.value}; give the folder that the workers wrote to with --artifacts"
        )
    if not tensors:
        raise SearchError(
            f"the checkpoint {path} is of another version of nlb-search: use the one that its workers ran"
        )


def remove_unused_checkpoints(study: OpenStudy) -> None:
    """Remove checkpoints that a worker left when it was killed between finishing its trial and tidying up."""
    for trial in study.study.get_trials(deepcopy=False):
        if trial.state == TrialState.COMPLETE:
            study.checkpoints.forget_running(trial.number)
        elif trial.state.is_finished():
            study.checkpoints.forget(trial.number)
