"""Train networks of the same kind as one computation.

The networks are small, so call overhead dominates the time of a step, especially on a GPU. Networks of the same chain
with matching layers are therefore stacked, one row of parameters each, and ``torch.vmap`` runs the code for one network
over all rows. The networks are independent: each has its own seed, hyperparameters and position in the schedule, and
gets the same result as alone, up to rounding. Networks with fewer hidden channels are padded with zero weights, which
stay zero and have no effect.

A user's model that ``torch.vmap`` cannot run is trained alone, by the same code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from nlb_search.models.architecture.network import Network, call_in_training
from nlb_search.models.dropout import Dropout
from nlb_search.models.masking import masks
from nlb_search.models.masking.crops import draw_bins, whole_bins, window_bins
from nlb_search.models.masking.variant_names import WHOLE
from nlb_search.models.random_draws import draw, fold_in, key_of, seeded, split_key
from nlb_search.models.tensors import UNSEEN
from nlb_search.models.training.contrastive import contrastive_loss
from nlb_search.models.training.cuda_graphs import CapturedStep
from nlb_search.models.training.optimizer import OptimizerSettings, OptimizerState, update
from nlb_search.models.training.training import Training

_ORDER, _STEPS = range(2)
"""Numbers to derive keys from the key of a seed: for the order of trials in an epoch, and for the steps."""

_CROPS, _MASKS, _DROPOUTS = range(3)
"""Numbers to derive keys from the key of a step. The last is the number of the first dropout layer."""

_SECOND_VIEW = -1
"""Number to derive, from the key of a step, that of the second view of its trials in the contrastive loss.

It is negative because the numbers of dropout layers have no upper limit.
"""

_STACKED: tuple[Callable[[Training], dict[str, Tensor]], ...] = (
    lambda training: training.weights,
    lambda training: training.mean,
    lambda training: training.square,
    lambda training: training.average,
)
"""The tensors of a training that are stacked in rows, in the order of ``OptimizerState``."""


class RowLayout:
    """The position of each parameter in the rows of stacked networks."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self.own = [{name: weight.shape for name, weight in network.named_parameters()} for network in networks]
        self.shapes = {
            name: torch.Size(map(max, zip(*(shapes[name] for shapes in self.own), strict=True))) for name in self.own[0]
        }

    def pack(self, networks: Sequence[Mapping[str, Tensor]]) -> Tensor:
        """Stack the parameters of K networks to K x P, with zeros where a network has fewer channels."""
        columns = []
        for name, shape in self.shapes.items():
            column = networks[0][name].new_zeros(len(networks), *shape)
            for values, own in zip(column, networks, strict=True):
                values[_corner(own[name].shape)] = own[name]
            columns.append(column.flatten(1))
        return torch.cat(columns, dim=1)

    def named(self, rows_KP: Tensor) -> dict[str, Tensor]:
        """The parameters of all rows by name, as views of shape K x the shape in the widest network."""
        columns = rows_KP.split([shape.numel() for shape in self.shapes.values()], dim=1)
        return {
            name: column.unflatten(1, shape) for (name, shape), column in zip(self.shapes.items(), columns, strict=True)
        }

    def unpack(self, rows_KP: Tensor) -> list[dict[str, Tensor]]:
        """The inverse of ``pack``: the parameters of each network as views in its own shapes."""
        named = self.named(rows_KP)
        return [
            {name: named[name][index][_corner(shape)] for name, shape in shapes.items()}
            for index, shapes in enumerate(self.own)
        ]


def _alone(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Like ``vmap``, for one network whose code it cannot run."""

    def of_one(*given: Tensor | dict[str, Tensor]) -> Tensor:
        return function(*map(_only, given)).unsqueeze(0)

    return of_one


def _only(stacked: Tensor | dict[str, Tensor]) -> Any:
    if isinstance(stacked, Tensor):
        return stacked.squeeze(0)
    return {name: tensor.squeeze(0) for name, tensor in stacked.items()}


def _corner(shape: torch.Size) -> tuple[slice, ...]:
    return tuple(slice(length) for length in shape)


@dataclass(frozen=True)
class _Draws:
    """The parameters of the random numbers, one value per network.

    The keys of the order of trials in each epoch are derived from ``order_key_K``, those of each step from
    ``steps_key_K``. ``shown_K`` is the fraction of held-in entries that are not masked; ``hidden`` holds the
    probability of each part of the masks, by name.
    """

    order_key_K: Tensor
    steps_key_K: Tensor
    shown_K: Tensor
    hidden: dict[str, Tensor]


def _weight_decay(training: Training) -> dict[str, Tensor]:
    """The weight decay of each parameter: none for the mean log-rates, which have no reason to be near 0."""
    decay = training.hyper.weight_decay
    return {name: torch.full_like(w, 0 if name == "offset_N" else decay) for name, w in training.weights.items()}


def _call(step: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
    return step(given)


class StackedTrainings:
    """Trainings of the same kind, as stacked copies until ``write_back``.

    They must have the same ``Training.kind``, recording and plan.
    """

    def __init__(self, trainings: Sequence[Training]) -> None:
        self.trainings = trainings
        first = trainings[0]
        self.train, self.plan, self.device = first.train, first.plan, first.device
        self.input_size, self.is_contrastive = first.hyper.input_size, first.is_contrastive
        self.layout = RowLayout([training.network for training in trainings])
        # Rows have the size of the widest network, so all networks run through its module.
        self.network = max((training.network for training in trainings), key=lambda network: network.n_parameters)
        self.rows = OptimizerState(*(self.layout.pack([read(training) for training in trainings]) for read in _STACKED))
        self.settings = OptimizerSettings(
            lr_K=self._each(lambda training: training.hyper.lr),
            l2_weight_K=self._each(lambda training: training.hyper.l2_weight).float(),
            weight_decay_KP=self.layout.pack([_weight_decay(training) for training in trainings]),
        )
        self.contrast_K = self._each(lambda training: training.hyper.contrastive_weight).float()
        self.done_K = self._each(lambda training: training.epoch * self.plan.steps_per_epoch(self.train.n_trials))
        # The rates of dropout layers, and the constants of a user's model, may differ.
        self.buffers = {
            name: torch.stack([training.network.get_buffer(name) for training in trainings])
            for name, _ in self.network.named_buffers()
        }
        self.dropouts = [name for name, module in self.network.named_modules() if isinstance(module, Dropout)]
        self.draws = self._draws()
        self._map = vmap if self.network.runs_side_by_side else _alone
        self._repeated = CapturedStep() if self.network.is_capturable else _call

    def _each(self, number: Callable[[Training], float]) -> Tensor:
        numbers = [number(training) for training in self.trainings]
        return torch.tensor(numbers, dtype=torch.float64, device=self.device)

    def _draws(self) -> _Draws:
        key_K = torch.stack([key_of(training.seed, self.device) for training in self.trainings])
        probabilities = [
            masks.probabilities_of(training.hyper.mask_variant, training.hyper.mask_ratio)
            for training in self.trainings
        ]
        return _Draws(
            order_key_K=fold_in(key_K, _ORDER),
            steps_key_K=fold_in(key_K, _STEPS),
            shown_K=self._each(lambda training: 1 - training.hyper.mask_ratio).float(),
            hidden={
                part: torch.tensor(
                    [probability[part] for probability in probabilities], dtype=torch.float64, device=self.device
                )
                for part in masks.PARTS
                if any(probability[part] for probability in probabilities)
            },
        )

    def train_epoch(self, interrupted: Callable[[], bool]) -> Tensor | None:
        """Train every network for one epoch. Returns the losses on the device, steps x K.

        Returns None if ``interrupted``, which is called before every step, returns true.
        """
        if self.network.runs_side_by_side:
            return self._train_epoch(interrupted)
        # The model may draw from torch's generator: a resumed training draws the same numbers.
        first = self.trainings[0]
        with seeded(first.seed * 1_000_003 + first.epoch, self.device):
            return self._train_epoch(interrupted)

    def _train_epoch(self, interrupted: Callable[[], bool]) -> Tensor | None:
        self.network.train()
        n_trials = self.train.n_trials
        epoch_K = torch.tensor([training.epoch for training in self.trainings], dtype=torch.int32, device=self.device)
        key_K = fold_in(self.draws.order_key_K, epoch_K)
        order_KE = vmap(lambda key: draw(key, (n_trials,)))(key_K).argsort(dim=1, stable=True)
        losses = []
        for start in self.plan.batch_starts(n_trials):
            if interrupted():
                return None
            losses.append(self._repeated(self._step, order_KE[:, start : start + self.plan.trials_per_batch(n_trials)]))
        return torch.stack(losses)

    def _step(self, trials_KB: Tensor) -> Tensor:
        """One step of every network on its own trials. Returns the losses."""
        weights_KP = self.rows.weights_KP.detach().requires_grad_()
        key_K = fold_in(self.draws.steps_key_K, self.done_K.to(torch.int32))
        draws = self.draws
        loss_K = self._map(self._loss)(
            self.layout.named(weights_KP) | self.buffers,
            draws.hidden,
            draws.shown_K,
            self.contrast_K,
            key_K,
            self.done_K,
            trials_KB,
        )
        (gradient_KP,) = torch.autograd.grad(loss_K.sum(), weights_KP)
        update(self.rows, gradient_KP, self.settings, self.done_K)
        self.done_K += 1
        return loss_K.detach()

    def _loss(
        self,
        tensors: dict[str, Tensor],
        hidden: dict[str, Tensor],
        shown: Tensor,
        contrast: Tensor,
        key: Tensor,
        done: Tensor,
        trials_B: Tensor,
    ) -> Tensor:
        """The mean loss of one network on a batch, in nats per scored entry, and the losses that are added to it.

        ``tensors`` are its parameters and buffers, by name, ``contrast`` is the weight of the contrastive loss, and
        ``done`` the number of steps it has done.
        """
        sizes = self.train.sizes
        n_window = window_bins(self.input_size, sizes)
        keys = split_key(key, _DROPOUTS + len(self.dropouts))
        bins_BT = draw_bins(len(trials_B), self.input_size, sizes, keys[_CROPS])
        # Indexing whole trials copies blocks; only crops need an index for every bin.
        picked = trials_B if self.input_size == WHOLE else (trials_B.unsqueeze(1), bins_BT)
        counts_BTN = self.train.counts_BTN[picked]
        known_BTN = counts_BTN != UNSEEN
        heldin = (slice(None), slice(n_window), slice(sizes.n_heldin))
        heldin_BWI = counts_BTN[heldin].masked_fill(~known_BTN[heldin], 0)

        def view(keys: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
            """Entries to hide, the network's output without them, and the loss that its model adds."""
            hidden_BWI = masks.hide((len(trials_B), n_window, sizes.n_heldin), hidden, keys[_MASKS], done)
            # Scaled as in dropout, so that the expected input is the same with and without a mask.
            visible_BWI = heldin_BWI.masked_fill(hidden_BWI, 0).float() / shown
            dropouts = {f"{name}.key": key for name, key in zip(self.dropouts, keys[_DROPOUTS:], strict=True)}
            return hidden_BWI, *call_in_training(self.network, tensors | dropouts, visible_BWI, bins_BT)

        hidden_BWI, output_BTN, extra_loss = view(keys)
        scored_BTN = known_BTN.float()
        scored_BTN[heldin] *= hidden_BWI
        losses_BTN = self.network.head.loss(output_BTN, counts_BTN.float())
        loss = (losses_BTN * scored_BTN).sum() / scored_BTN.sum().clamp(min=1) + extra_loss
        if not self.is_contrastive:
            return loss
        _, second_BTN, _ = view(split_key(fold_in(key, _SECOND_VIEW), len(keys)))
        # Without the offsets, which are the same in all trials.
        offset_N = tensors["offset_N"]
        return loss + contrast * contrastive_loss(output_BTN - offset_N, second_BTN - offset_N)

    @torch.no_grad()
    def rates(self, heldin_BWI: Tensor) -> Tensor:
        """Predict rates with the averaged weights of every network, without masks and dropout.

        Returns K x B x T x N, in spikes per bin.
        """
        self.network.eval()
        bins_BT = whole_bins(len(heldin_BWI), self.train.sizes, self.device)

        def of_one(tensors: dict[str, Tensor]) -> Tensor:
            return self.network.head.rates(functional_call(self.network, tensors, (heldin_BWI.float(), bins_BT)))

        rates_KBTN: Tensor = self._map(of_one)(self.layout.named(self.rows.average_KP) | self.buffers)
        return rates_KBTN

    @torch.no_grad()
    def write_back(self) -> None:
        """Copy the rows back into the trainings."""
        rows = (self.rows.weights_KP, self.rows.mean_KP, self.rows.square_KP, self.rows.average_KP)
        for read, rows_KP in zip(_STACKED, rows, strict=True):
            for training, own in zip(self.trainings, self.layout.unpack(rows_KP), strict=True):
                for name, tensor in read(training).items():
                    tensor.copy_(own[name])
