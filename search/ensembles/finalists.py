"""Finalists: complete trials with their networks, which can be exported."""

from dataclasses import dataclass

import torch
from optuna.trial import FrozenTrial

from nlb_search.models.architecture.architectures import build_network
from nlb_search.models.architecture.network import Network
from nlb_search.models.tensors import Sizes
from nlb_search.models.training.state import Progress
from nlb_search.search.scoring.saved_networks import load_network
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import check_network
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.trial import settings_of
from nlb_search.storage.checkpoints import Checkpoint


@dataclass(frozen=True)
class Finalist:
    """A trial with its network, settings, and progress at its best evaluation on val."""

    trial: FrozenTrial
    network: Network
    settings: dict[str, object]
    progress: Progress

    @property
    def architecture(self) -> str:
        return str(self.settings["architecture"])


def load_finalist(study: OpenStudy, trial: FrozenTrial) -> Finalist:
    """Load a trial. Raises SearchError if its network is missing or has another definition."""
    # Another definition may use the same parameter names for different weights.
    check_network(study.spec)
    checkpoint = load_network(study, trial)
    settings = checkpoint.facts["settings"]
    return Finalist(trial, network_of(checkpoint, settings), settings, Progress(**checkpoint.facts["progress"]))


def network_of(checkpoint: Checkpoint, settings: dict[str, object]) -> Network:
    """The network with a checkpoint's weights, on the device for prediction."""
    architecture, hyper = settings_of(settings)
    sizes = Sizes(**checkpoint.facts["sizes"])
    network = build_network(architecture, sizes, hyper, torch.zeros(sizes.n_neurons))
    network.load_state_dict(checkpoint.tensors)
    return network.to(training_device())
