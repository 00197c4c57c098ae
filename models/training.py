"""Training one network on one recording, an epoch at a time.

Nothing here knows who is listening: ``fit`` yields what happened and the caller decides to report, prune, save or
stop. The randomness of an epoch depends on the seed and the epoch alone, so a training that is restored from its
state goes on exactly as if it had never been cut.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from models import masks
from models.chain import Chain
from models.errors import DivergedError, InterruptedTrainingError
from models.hyperparameters import Hyperparameters
from models.network import Network, predict
from models.scores import co_bps, fp_bps
from models.tensors import Counts
from models.windows import draw_bins, window_bins

GRADIENT_NORM = 1.0
"""Gradients longer than this are scaled down to it: recurrent layers at high learning rates need it."""

WARM_UP = 0.3
"""Share of the steps in which the learning rate rises to ``lr``; in the rest it falls to nearly nothing."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long to train and how often to look: ``epochs`` passes over the training trials in batches of
    ``batch_size``, scored on val after every ``evaluate_every`` epochs and after the last.
    """

    epochs: int
    evaluate_every: int = 1
    batch_size: int = 32


@dataclass(frozen=True)
class Progress:
    """One evaluation: the epochs done, their mean loss in nats per scored entry, and the scores on val."""

    epoch: int
    loss: float
    co_bps: float
    fp_bps: float


@dataclass(frozen=True)
class Best:
    """The network as it was when val liked it best."""

    progress: Progress
    weights: dict[str, Tensor]


@dataclass(frozen=True)
class State:
    """Everything a training needs to go on: tensors by name, and plain facts that JSON can hold."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def _never() -> bool:
    return False


class Training:
    """A network, its optimizer and how far they are.

    ``epoch`` is the number of epochs done; ``best`` the best network so far, where there was a val to judge it by.
    The optimizer is Adam with L2 (``l2_weight``), and the learning rate follows one cycle (Smith & Topin 2017,
    https://arxiv.org/abs/1708.07120) over the epochs of the plan.
    """

    def __init__(
        self, chain: Chain, hyper: Hyperparameters, plan: Plan, train: Counts, seed: int, device: torch.device
    ) -> None:
        self.hyper, self.plan, self.seed = hyper, plan, seed
        self.train = train.to(device)
        self.epoch = 0
        self.best: Best | None = None
        # Which counts are unknown never changes, so the look for NaN is not repeated at every step.
        self.known_BTN = ~torch.isnan(self.train.target_BTN)
        self.target_BTN = torch.nan_to_num(self.train.target_BTN)
        with _seeded(seed, 0, device):
            mean_counts = torch.nanmean(self.train.target_BTN, dim=(0, 1))
            self.network = Network(chain, train.sizes, hyper, torch.nan_to_num(mean_counts)).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=hyper.lr, weight_decay=hyper.l2_weight)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            max_lr=hyper.lr,
            total_steps=plan.epochs * math.ceil(train.n_trials / plan.batch_size),
            pct_start=WARM_UP,
        )

    def run_epoch(self, interrupted: Callable[[], bool] = _never) -> float:
        """Train one epoch; returns its mean loss.

        Raises DivergedError at the first loss that is not finite, and InterruptedTrainingError as soon as
        ``interrupted``, which is asked before every step, says so.
        """
        self.network.train()
        losses: list[Tensor] = []
        with _seeded(self.seed, self.epoch + 1, self.target_BTN.device):
            order = torch.randperm(self.train.n_trials, device=self.target_BTN.device)
            for trials in torch.split(order, self.plan.batch_size):
                if interrupted():
                    raise InterruptedTrainingError(f"interrupted in epoch {self.epoch + 1}")
                losses.append(self._step(trials))
        self.epoch += 1
        loss = torch.stack(losses)
        if not bool(torch.isfinite(loss).all()):
            step = int(torch.isfinite(loss).logical_not().nonzero()[0])
            raise DivergedError(f"the loss became {loss[step].item()} in epoch {self.epoch}, step {step + 1}")
        return loss.mean().item()

    def _step(self, trials: Tensor) -> Tensor:
        """One step of the optimizer on some trials; returns the loss, still on the device."""
        hyper, sizes = self.hyper, self.network.sizes
        n_window = window_bins(hyper.input_size, sizes)
        bins_BT = draw_bins(len(trials), hyper.input_size, sizes, trials.device)
        trials_B1 = trials.unsqueeze(1)
        heldin_BWI = self.train.heldin_BWI[trials_B1, bins_BT[:, :n_window]]
        hidden_BWI = masks.hide(heldin_BWI.shape, hyper.mask_variant, hyper.mask_ratio, trials.device)
        scored_BTN = self.known_BTN[trials_B1, bins_BT]
        scored_BTN[:, :n_window, : sizes.n_heldin] &= hidden_BWI
        # Scaled so that a network reads the same total with and without a mask, as dropout does.
        visible_BWI = heldin_BWI.masked_fill(hidden_BWI, 0) / (1 - hyper.mask_ratio)
        output_BTN = self.network(visible_BWI, bins_BT)
        losses_BTN = self.network.head.loss(output_BTN, self.target_BTN[trials_B1, bins_BT])
        loss = (losses_BTN * scored_BTN).sum() / scored_BTN.sum().clamp(min=1)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
        self.optimizer.step()
        self.schedule.step()
        return loss.detach()

    def state(self) -> State:
        """What ``restore`` needs to go on from here, on the CPU."""
        optimizer = self.optimizer.state_dict()
        tensors = _prefixed("network.", self.network.state_dict())
        for index, values in optimizer["state"].items():
            tensors |= _prefixed(f"optimizer.{index}.", values)
        facts: dict[str, Any] = {
            "epoch": self.epoch,
            "groups": optimizer["param_groups"],
            "schedule": {name: self.schedule.state_dict()[name] for name in ("last_epoch", "_step_count")},
        }
        if self.best is not None:
            tensors |= _prefixed("best.", self.best.weights)
            facts["best"] = asdict(self.best.progress)
        return State({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, facts)

    def restore(self, state: State) -> None:
        """Go on from ``state``, which a training of the same chain, settings, plan and data gave."""
        self.network.load_state_dict(_named("network.", state.tensors))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _named("optimizer.", state.tensors).items():
            index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = value
        self.optimizer.load_state_dict({"state": moments, "param_groups": state.facts["groups"]})
        self.schedule.load_state_dict(self.schedule.state_dict() | state.facts["schedule"])
        self.epoch = state.facts["epoch"]
        if "best" in state.facts:
            self.best = Best(Progress(**state.facts["best"]), _named("best.", state.tensors))


def fit(training: Training, val: Counts, interrupted: Callable[[], bool] = _never) -> Iterator[Progress]:
    """Train to the end of the plan, from wherever the training is; yields each evaluation on ``val``.

    Raises DivergedError at the first loss or score that is not finite, and InterruptedTrainingError as soon as
    ``interrupted`` says so.
    """
    plan = training.plan
    val = val.to(training.target_BTN.device)
    losses: list[float] = []
    while training.epoch < plan.epochs:
        losses.append(training.run_epoch(interrupted))
        if training.epoch % plan.evaluate_every and training.epoch < plan.epochs:
            continue
        progress = _evaluate(training, val, fmean(losses))
        losses.clear()
        if not (math.isfinite(progress.co_bps) and math.isfinite(progress.fp_bps)):
            raise DivergedError(f"the scores became {progress.co_bps}, {progress.fp_bps} in epoch {progress.epoch}")
        if training.best is None or progress.co_bps > training.best.progress.co_bps:
            weights = {name: tensor.detach().clone() for name, tensor in training.network.state_dict().items()}
            training.best = Best(progress, weights)
        yield progress


def _evaluate(training: Training, val: Counts, loss: float) -> Progress:
    rates_BTN = predict(training.network, val.heldin_BWI)
    return Progress(training.epoch, loss, co_bps(rates_BTN, val).item(), fp_bps(rates_BTN, val).item())


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


@contextmanager
def _seeded(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Torch's generators of the CPU and of ``device`` seeded for one epoch, and given back as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed((seed << 16) + epoch)
        yield
