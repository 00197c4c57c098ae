"""A finished trial, loaded with its networks: what an export uses."""

from dataclasses import dataclass

import torch
from optuna.trial import FrozenTrial
from torch import Tensor

from nlb_search.models.architecture.architectures import build_network
from nlb_search.models.architecture.network import Network, predict
from nlb_search.models.tensors import Sizes
from nlb_search.models.training.training import Evaluation
from nlb_search.search.networks.saved_networks import load_networks
from nlb_search.search.sampling.spaces.trial_parameters import trained_chain
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import check_network
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.trial_replicates import split_settings


@dataclass(frozen=True)
class LoadedTrial:
    """A trial of a study: its networks, one per seed, its settings, and its best evaluation on val."""

    study: OpenStudy
    trial: FrozenTrial
    networks: tuple[Network, ...]
    settings: dict[str, object]
    evaluation: Evaluation

    @property
    def architecture(self) -> str:
        """The chain that was trained."""
        return trained_chain(self.settings)

    def rates(self, heldin_BWI: Tensor) -> Tensor:
        """The mean rates of its networks, B x T x N in spikes per bin, from held-in counts B x W x I."""
        return torch.stack([predict(network, heldin_BWI) for network in self.networks]).mean(dim=0)


def load_trial(study: OpenStudy, trial: FrozenTrial) -> LoadedTrial:
    """Load a trial. Raises SearchError if its networks are missing or have another definition."""
    # Another definition may use the same parameter names for different weights.
    check_network(study.spec)
    saved = load_networks(study, trial)
    settings, sizes = saved.metadata["settings"], Sizes(**saved.metadata["sizes"])
    networks = tuple(network_of(weights, sizes, settings) for weights in saved.weights)
    return LoadedTrial(study, trial, networks, settings, Evaluation(**saved.metadata["progress"]))


def network_of(weights: dict[str, Tensor], sizes: Sizes, settings: dict[str, object]) -> Network:
    """The network with these settings and weights, on the device for prediction."""
    architecture, hyper = split_settings(settings)
    network = build_network(architecture, sizes, hyper, torch.zeros(sizes.n_neurons))
    network.load_state_dict(weights)
    return network.to(training_device())
