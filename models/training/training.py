"""A network in training: its settings, and the state needed to resume it."""

from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nlb_search.models.architecture.architectures import Architecture, build_network
from nlb_search.models.architecture.network import Network
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.models.random_draws import seeded
from nlb_search.models.tensors import Counts
from nlb_search.models.training.training_plan import TrainingPlan


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    ``epoch`` is the number of epochs done, ``loss`` the mean training loss since the last evaluation in nats per scored
    entry; the scores are on val. ``fp_bps`` is None if there are no forward bins.
    """

    epoch: int
    loss: float
    co_bps: float
    fp_bps: float | None


@dataclass(frozen=True)
class Best:
    """The averaged weights with the best co-bps on val, with the network's buffers, and their evaluation."""

    evaluation: Evaluation
    weights: dict[str, Tensor]


@dataclass(frozen=True)
class State:
    """The state needed to resume a training: tensors by name, and metadata that can be stored as JSON."""

    tensors: dict[str, Tensor]
    metadata: dict[str, Any]


class Training:
    """A network in training, with the optimizer's state. ``models.training.trainer`` trains it.

    ``epoch`` is the number of epochs done; ``mean`` and ``square`` are Adam's running means of the gradient of each
    parameter and of its square; ``average`` are the averaged weights, with which the network is evaluated
    (``models.training.weight_average``); ``best`` is the best network so far, or None before the first evaluation.

    All random numbers depend only on the seed and the progress, so a restored training continues exactly as if it had
    not been interrupted.
    """

    def __init__(
        self,
        architecture: Architecture,
        hyper: Hyperparameters,
        plan: TrainingPlan,
        train: Counts,
        seed: int,
        device: torch.device,
    ) -> None:
        """The batch size of ``hyper``, if there is one, replaces that of ``plan``.

        Raises ChainError or OwnModelError if the network cannot be built.
        """
        self.architecture, self.hyper, self.seed, self.device = architecture, hyper, seed, device
        self.plan = plan if hyper.batch_size is None else replace(plan, batch_size=hyper.batch_size)
        self.train = train.to(device)
        self.epoch = 0
        self.best: Best | None = None
        with seeded(seed, torch.device("cpu")):
            self.network = build_network(architecture, train.sizes, hyper, train.mean_N.cpu()).to(device)
        self.mean, self.square = ({name: torch.zeros_like(w) for name, w in self.weights.items()} for _ in range(2))
        self.average = {name: weight.clone() for name, weight in self.weights.items()}

    @property
    def weights(self) -> dict[str, Tensor]:
        """The network's parameters by name, detached from autograd."""
        return {name: weight.detach() for name, weight in self.network.named_parameters()}

    @cached_property
    def kind(self) -> tuple[Any, ...]:
        """Trainings of the same recording can run side by side if this is equal."""
        if not self.network.runs_side_by_side:
            return (id(self),)
        settings = (self.plan, self.hyper.input_size, self.is_contrastive)
        return (str(self.architecture), *settings, *self.weights, *self.network.structure)

    @property
    def is_contrastive(self) -> bool:
        """Whether the contrastive loss is added, which needs a second pass through the network in each step."""
        return self.hyper.contrastive_weight > 0

    @property
    def averaged_state(self) -> dict[str, Tensor]:
        """The averaged weights, and the buffers that a network is stored with, by name."""
        return {name: self.average.get(name, tensor) for name, tensor in self.network.state_dict().items()}

    @property
    def is_done(self) -> bool:
        """Whether the plan's epochs are done, or val has not improved for so long that it is not expected to."""
        return self.plan.is_over(self.epoch, self.epoch if self.best is None else self.best.evaluation.epoch)

    def averaged_network(self) -> Network:
        """A copy of the network with the averaged weights."""
        network = deepcopy(self.network)
        network.load_state_dict(self.averaged_state)
        return network

    def keep_if_best(self, evaluation: Evaluation) -> None:
        """Store the averaged weights as ``best`` if co-bps on val is the highest so far."""
        if self.best is None or evaluation.co_bps > self.best.evaluation.co_bps:
            self.best = Best(evaluation, {name: tensor.clone() for name, tensor in self.averaged_state.items()})

    def state(self) -> State:
        """The state for ``restore``, on the CPU."""
        parts = {
            "network.": self.network.state_dict(),
            "mean.": self.mean,
            "square.": self.square,
            "average.": self.average,
        }
        tensors = {prefix + name: tensor for prefix, named in parts.items() for name, tensor in named.items()}
        metadata: dict[str, Any] = {"epoch": self.epoch}
        if self.best is not None:
            tensors |= _prefixed("best.", self.best.weights)
            metadata["best"] = asdict(self.best.evaluation)
        return State({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, metadata)

    def restore(self, state: State) -> None:
        """Resume from the ``state`` of a training with the same architecture, hyperparameters, plan and data.

        Raises KeyError or RuntimeError if the state is incomplete.
        """
        self.network.load_state_dict(_named("network.", state.tensors))
        for running, prefix in ((self.mean, "mean."), (self.square, "square."), (self.average, "average.")):
            running.update((name, state.tensors[prefix + name].to(self.device)) for name in self.weights)
        self.epoch = state.metadata["epoch"]
        if "best" in state.metadata:
            self.best = Best(Evaluation(**state.metadata["best"]), _named("best.", state.tensors))


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
