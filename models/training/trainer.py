"""Train networks to the end of their plans, one evaluation at a time.

The results are returned to the caller, which decides whether to report, prune, save or stop.
"""

import logging
import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from nlb_search.models.architecture.network import trials_at_once
from nlb_search.models.errors import DivergedError, InterruptedTrainingError
from nlb_search.models.scoring import bits_per_spike
from nlb_search.models.tensors import Counts
from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.models.training.training import Evaluation, Training

_log = logging.getLogger(__name__)


class ValScorer:
    """The val trials on the device, with the terms of the scores that do not depend on the rates."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.heldin_BWI = counts.heldin_BWI
        self.heldout = bits_per_spike.scored_heldout(counts)
        self.forward = bits_per_spike.scored_forward(counts) if counts.sizes.n_forward else None

    def scores_of(self, stacked: StackedTrainings) -> Tensor:
        """co-bps of every network and, if there are forward bins, fp-bps: 1 x K or 2 x K, on the device."""
        sizes = self.counts.sizes
        heldout, forward = [], []
        at_once = math.ceil(trials_at_once(self.heldin_BWI.device) / len(stacked.trainings))
        for start in range(0, self.counts.n_trials, at_once):
            trials = slice(start, start + at_once)
            rates_KBTN = stacked.rates(self.heldin_BWI[trials])
            heldout.append(_gain(self.heldout, rates_KBTN[:, :, : sizes.n_window, sizes.n_heldin :], trials))
            if self.forward is not None:
                forward.append(_gain(self.forward, rates_KBTN[:, :, sizes.n_window :], trials))
        scored = [_bits_per_spike(self.heldout, heldout)]
        if self.forward is not None:
            scored.append(_bits_per_spike(self.forward, forward))
        return torch.stack(scored)


def _gain(scored: bits_per_spike.ScoredSpikes, rates_KBTN: Tensor, trials: slice) -> Tensor:
    """The gain of each network on some trials, K x B. Networks are scored one by one to save memory."""
    return torch.stack([scored.gain(rates_BTN, trials) for rates_BTN in rates_KBTN])


def _bits_per_spike(scored: bits_per_spike.ScoredSpikes, gains: list[Tensor]) -> Tensor:
    """The score of each of the K networks. ``gains`` are K x B each, for consecutive parts of the trials."""
    gain_KB = torch.cat(gains, dim=1)
    return torch.stack([bits_per_spike.Gains(gain_B, scored.spikes_B).bits_per_spike for gain_B in gain_KB])


def _never() -> bool:
    return False


_Losses = dict[Training, list[Tensor]]
"""The losses of all steps since the last evaluation, one tensor per epoch."""


class Trainer:
    """Trains networks, those of the same kind side by side, and scores them on ``val``."""

    def __init__(self, val: ValScorer) -> None:
        self._val = val
        self._stacked: dict[tuple[Training, ...], StackedTrainings] = {}
        self._group_size: dict[Any, int] = {}
        self._one_at_a_time = False

    def advance(
        self, trainings: Sequence[Training], interrupted: Callable[[], bool] = _never
    ) -> list[Evaluation | Exception]:
        """Train each to its next evaluation. Returns one result per training: its evaluation, or an exception.

        The trainings must have epochs of their plans left. A training whose result is a DivergedError or another
        failure must not be used again; the others are not affected. If ``interrupted`` returns true, the result of
        trainings that are not scored yet is an InterruptedTrainingError; they are left at the end of an epoch. Which
        networks are kept is up to the caller.
        """
        kinds: dict[Any, list[Training]] = {}
        for training in trainings:
            kinds.setdefault(training.kind, []).append(training)
        groups = [
            tuple(group[start : start + size])
            for kind, group in kinds.items()
            for size in [self._group_size.get(kind, len(group))]
            for start in range(0, len(group), size)
        ]
        self._stacked = {group: stacked for group, stacked in self._stacked.items() if group in groups}
        outcomes: dict[Training, Evaluation | Exception] = {}
        losses: _Losses = {training: [] for training in trainings}
        for group in groups:
            outcomes.update(zip(group, self._outcomes(group, losses, interrupted), strict=True))
        return [outcomes[training] for training in trainings]

    def _outcomes(
        self, group: tuple[Training, ...], losses: _Losses, interrupted: Callable[[], bool]
    ) -> list[Evaluation | Exception]:
        """The results of trainings of the same kind. If they fail together, for example because memory runs out, they
        are trained in smaller groups from then on.
        """
        try:
            return list(self._advanced(group, losses, interrupted))
        except Exception as error:
            # The stacked copies may be ahead of the trainings.
            self._discard(group)
            parts = () if isinstance(error, InterruptedTrainingError) else self._smaller(group)
            if not parts:
                return [error] * len(group)
            reason = f"{type(error).__name__}: {error}".splitlines()[0].partition(". ")[0]
            _log.warning(
                "%d networks cannot be trained side by side: trying %d (%s)", len(group), len(parts[0]), reason
            )
            # The error's frames hold references to the tensors of the failed step.
            traceback.clear_frames(error.__traceback__)
        return [outcome for part in parts for outcome in self._outcomes(part, losses, interrupted)]

    def _smaller(self, group: tuple[Training, ...]) -> tuple[tuple[Training, ...], ...]:
        """The groups to try after a failure: first the same group without stacked copies of others, then its halves.

        Returns an empty tuple if a single training failed.
        """
        if self._stacked and not self._one_at_a_time:
            self._one_at_a_time = True
            self._stacked.clear()
            return (group,)
        self._one_at_a_time = True
        if len(group) == 1:
            return ()
        half = math.ceil(len(group) / 2)
        self._group_size[group[0].kind] = half
        return (group[:half], group[half:])

    def _advanced(
        self, group: tuple[Training, ...], losses: _Losses, interrupted: Callable[[], bool]
    ) -> list[Evaluation | DivergedError]:
        # A larger group may have failed after some epochs, or on val: do not repeat the epochs that are done.
        while waiting := tuple(t for t in group if not (losses[t] and t.plan.is_evaluation(t.epoch))):
            loss_SK = _epoch(self._stack(waiting), interrupted)
            for training, loss_S in zip(waiting, loss_SK.unbind(1), strict=True):
                losses[training].append(loss_S)
        scores_KX = self._val.scores_of(self._stack(group)).T.tolist()
        return [
            _evaluated(training, torch.stack(losses[training]).tolist(), *scores_X)
            for training, scores_X in zip(group, scores_KX, strict=True)
        ]

    def _stack(self, group: tuple[Training, ...]) -> StackedTrainings:
        """The stacked copies of the trainings, reused if they exist."""
        if group not in self._stacked:
            if self._one_at_a_time:
                # On a GPU, stacked copies hold the memory of their CUDA graph.
                self._stacked.clear()
            self._discard(group)
            self._stacked[group] = StackedTrainings(group)
        return self._stacked[group]

    def _discard(self, group: tuple[Training, ...]) -> None:
        """Discard all stacked copies of these trainings: a training must not have two."""
        members = set(group)
        self._stacked = {
            members_of: stacked for members_of, stacked in self._stacked.items() if members.isdisjoint(members_of)
        }


def _epoch(stacked: StackedTrainings, interrupted: Callable[[], bool]) -> Tensor:
    """Train each for one epoch. Returns the losses on the device, steps x K."""
    loss_SK = stacked.train_epoch(interrupted)
    if loss_SK is None:
        raise InterruptedTrainingError(f"interrupted in epoch {stacked.trainings[0].epoch + 1}")
    stacked.write_back()
    for training in stacked.trainings:
        training.epoch += 1
    return loss_SK


def _evaluated(
    training: Training, losses: list[list[float]], co_bps: float, fp_bps: float | None = None
) -> Evaluation | DivergedError:
    """The result of an evaluation, from the losses of each epoch's steps and the scores."""
    if diverged := _diverged(losses, training.epoch):
        return diverged
    scored = [co_bps] if fp_bps is None else [co_bps, fp_bps]
    if not all(map(math.isfinite, scored)):
        return DivergedError(f"the scores became {', '.join(map(str, scored))} in epoch {training.epoch}")
    return Evaluation(training.epoch, fmean(chain.from_iterable(losses)), co_bps, fp_bps)


def _diverged(losses: list[list[float]], last_epoch: int) -> DivergedError | None:
    """The error for the first loss that is not finite, or None. ``losses`` are those of each epoch's steps."""
    for epoch, steps in enumerate(losses, last_epoch - len(losses) + 1):
        for step, loss in enumerate(steps, 1):
            if not math.isfinite(loss):
                return DivergedError(f"the loss became {loss} in epoch {epoch}, step {step}")
    return None


def fit(training: Training, val: Counts, interrupted: Callable[[], bool] = _never) -> Iterator[Evaluation]:
    """Train one network from its current epoch to the end of its plan, and yield every evaluation on ``val``.

    The network of the best evaluation is kept.

    Raises DivergedError at the first evaluation after a loss or score that is not finite, InterruptedTrainingError if
    ``interrupted`` returns true.
    """
    trainer = Trainer(ValScorer(val.to(training.device)))
    while not training.is_done:
        (outcome,) = trainer.advance([training], interrupted)
        if isinstance(outcome, Exception):
            raise outcome
        training.keep_if_best(outcome)
        yield outcome


def train_through(trainings: Sequence[Training], epochs: int, interrupted: Callable[[], bool] = _never) -> None:
    """Train networks that can run side by side until they have done ``epochs`` epochs, without evaluations.

    Raises DivergedError at the first epoch with a loss that is not finite, InterruptedTrainingError if ``interrupted``
    returns true.
    """
    stacked = StackedTrainings(trainings)
    while trainings[0].epoch < epochs:
        for training, loss_S in zip(trainings, _epoch(stacked, interrupted).unbind(1), strict=True):
            if diverged := _diverged([loss_S.tolist()], training.epoch):
                raise diverged
