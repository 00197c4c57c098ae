"""Training networks to the end of their plans, one evaluation at a time.

Nothing here knows who is listening: what happened is returned, and the caller decides to report, prune, save or stop.
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
from nlb_search.models.training.side_by_side import SideBySide
from nlb_search.models.training.state import Progress, Training

_log = logging.getLogger(__name__)


class Val:
    """The trials that networks are scored on in training, on the device, with what scores need made ready once."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.heldin_BWI = counts.heldin_BWI
        self.heldout = bits_per_spike.heldout(counts)
        self.forward = bits_per_spike.forward(counts) if counts.sizes.n_forward else None

    def scores_of(self, side_by_side: SideBySide) -> Tensor:
        """co-bps of every network and, where there are forward bins, fp-bps: 1 or 2 x K, still on the device."""
        sizes = self.counts.sizes
        heldout, forward = [], []
        at_once = math.ceil(trials_at_once(self.heldin_BWI.device) / len(side_by_side.trainings))
        for start in range(0, self.counts.n_trials, at_once):
            trials = slice(start, start + at_once)
            rates_KBTN = side_by_side.rates(self.heldin_BWI[trials])
            heldout.append(_gain(self.heldout, rates_KBTN[:, :, : sizes.n_window, sizes.n_heldin :], trials))
            if self.forward is not None:
                forward.append(_gain(self.forward, rates_KBTN[:, :, sizes.n_window :], trials))
        scored = [_bits_per_spike(self.heldout, heldout)]
        if self.forward is not None:
            scored.append(_bits_per_spike(self.forward, forward))
        return torch.stack(scored)


def _gain(scored: bits_per_spike.Scored, rates_KBTN: Tensor, trials: slice) -> Tensor:
    """What some trials add to each network's score, K x B; one network after the other, for that takes less memory."""
    return torch.stack([scored.gain(rates_BTN, trials) for rates_BTN in rates_KBTN])


def _bits_per_spike(scored: bits_per_spike.Scored, gains: list[Tensor]) -> Tensor:
    """The score of each of the K networks, from the gains of parts of the trials in order, K x B each."""
    gain_KB = torch.cat(gains, dim=1)
    return torch.stack([bits_per_spike.Gains(gain_B, scored.spikes_B).bits_per_spike for gain_B in gain_KB])


def _never() -> bool:
    return False


_Losses = dict[Training, list[Tensor]]
"""The losses of every step since the last evaluation, a tensor an epoch."""


class Trainer:
    """Moves trainings on, those of one kind side by side; all are scored on ``val``."""

    def __init__(self, val: Val) -> None:
        self._val = val
        self._laid: dict[tuple[Training, ...], SideBySide] = {}
        self._most: dict[Any, int] = {}
        self._takes_turns = False

    def advance(
        self, trainings: Sequence[Training], interrupted: Callable[[], bool] = _never
    ) -> list[Progress | Exception]:
        """Train each to its next evaluation; returns what came of each: a DivergedError, say.

        None of them may be done. One that leaves the finite numbers, or fails, is of no more use and disturbs no other.
        As soon as ``interrupted`` says so, what comes of those that are not scored yet is an InterruptedTrainingError;
        they stand at the end of an epoch.
        """
        kinds: dict[Any, list[Training]] = {}
        for training in trainings:
            kinds.setdefault(training.kind, []).append(training)
        groups = [
            tuple(group[start : start + most])
            for kind, group in kinds.items()
            for most in [self._most.get(kind, len(group))]
            for start in range(0, len(group), most)
        ]
        self._laid = {group: laid for group, laid in self._laid.items() if group in groups}
        outcomes: dict[Training, Progress | Exception] = {}
        losses: _Losses = {training: [] for training in trainings}
        for group in groups:
            outcomes.update(zip(group, self._outcomes(group, losses, interrupted), strict=True))
        return [outcomes[training] for training in trainings]

    def _outcomes(
        self, group: tuple[Training, ...], losses: _Losses, interrupted: Callable[[], bool]
    ) -> list[Progress | Exception]:
        """The results of trainings of one kind. If they fail together, for lack of memory for example, they continue in
        smaller parts from then on.
        """
        try:
            return list(self._advanced(group, losses, interrupted))
        except Exception as error:
            # What lies side by side may be ahead of the trainings themselves.
            self._forget(group)
            parts = () if isinstance(error, InterruptedTrainingError) else self._smaller(group)
            if not parts:
                return [error] * len(group)
            reason = f"{type(error).__name__}: {error}".splitlines()[0].partition(". ")[0]
            _log.warning("%d trials cannot be trained side by side: trying %d (%s)", len(group), len(parts[0]), reason)
            # The error's frames hold the tensors of the step that failed.
            traceback.clear_frames(error.__traceback__)
        return [outcome for part in parts for outcome in self._outcomes(part, losses, interrupted)]

    def _smaller(self, group: tuple[Training, ...]) -> tuple[tuple[Training, ...], ...]:
        """What to try where a group fails: first without what other groups hold, then in halves; in the end nothing."""
        if self._laid and not self._takes_turns:
            self._takes_turns = True
            self._laid.clear()
            return (group,)
        self._takes_turns = True
        if len(group) == 1:
            return ()
        half = math.ceil(len(group) / 2)
        self._most[group[0].kind] = half
        return (group[:half], group[half:])

    def _advanced(
        self, group: tuple[Training, ...], losses: _Losses, interrupted: Callable[[], bool]
    ) -> list[Progress | DivergedError]:
        # They may have failed together after some epochs, or on val: an epoch that is done is not done again.
        while waiting := tuple(t for t in group if not (losses[t] and t.plan.is_evaluation(t.epoch))):
            loss_SK = _epoch(self._side_by_side(waiting), interrupted)
            for training, loss_S in zip(waiting, loss_SK.unbind(1), strict=True):
                losses[training].append(loss_S)
        scores_KX = self._val.scores_of(self._side_by_side(group)).T.tolist()
        return [
            _judged(training, torch.stack(losses[training]).tolist(), *scores_X)
            for training, scores_X in zip(group, scores_KX, strict=True)
        ]

    def _side_by_side(self, group: tuple[Training, ...]) -> SideBySide:
        """The trainings side by side: as they were left, where it was the same ones."""
        if group not in self._laid:
            if self._takes_turns:
                # As long as a group is laid out on a GPU, it holds the memory of its graph.
                self._laid.clear()
            self._forget(group)
            self._laid[group] = SideBySide(group)
        return self._laid[group]

    def _forget(self, group: tuple[Training, ...]) -> None:
        """Lay nothing side by side any more that holds one of these: a training must not stand in two places."""
        members = set(group)
        self._laid = {laid: together for laid, together in self._laid.items() if members.isdisjoint(laid)}


def _epoch(side_by_side: SideBySide, interrupted: Callable[[], bool]) -> Tensor:
    """Train each for one epoch; returns the losses of its steps, steps x K, still on the device."""
    loss_SK = side_by_side.train_epoch(interrupted)
    if loss_SK is None:
        raise InterruptedTrainingError(f"interrupted in epoch {side_by_side.trainings[0].epoch + 1}")
    side_by_side.write_back()
    for training in side_by_side.trainings:
        training.epoch += 1
    return loss_SK


def _judged(
    training: Training, losses: list[list[float]], co_bps: float, fp_bps: float | None = None
) -> Progress | DivergedError:
    """What became of a training, from the losses of its last epochs' steps and its scores.

    Keeps its network if it is the best so far.
    """
    if diverged := _diverged(losses, training.epoch):
        return diverged
    scored = [co_bps] if fp_bps is None else [co_bps, fp_bps]
    if not all(map(math.isfinite, scored)):
        return DivergedError(f"the scores became {', '.join(map(str, scored))} in epoch {training.epoch}")
    progress = Progress(training.epoch, fmean(chain.from_iterable(losses)), co_bps, fp_bps)
    training.keep_if_best(progress)
    return progress


def _diverged(losses: list[list[float]], last_epoch: int) -> DivergedError | None:
    """What to say of the first loss that is not finite, in the steps of some epochs, or None if all are."""
    for epoch, steps in enumerate(losses, last_epoch - len(losses) + 1):
        for step, loss in enumerate(steps, 1):
            if not math.isfinite(loss):
                return DivergedError(f"the loss became {loss} in epoch {epoch}, step {step}")
    return None


def fit(training: Training, val: Counts, interrupted: Callable[[], bool] = _never) -> Iterator[Progress]:
    """Train one network to the end of its plan, from wherever it is; yields each evaluation on ``val``.

    Raises DivergedError at the first evaluation after a loss or score that is not finite, and
    InterruptedTrainingError as soon as ``interrupted`` says so.
    """
    trainer = Trainer(Val(val.to(training.device)))
    while not training.is_done:
        (outcome,) = trainer.advance([training], interrupted)
        if isinstance(outcome, Exception):
            raise outcome
        yield outcome


def train_through(training: Training, epochs: int, interrupted: Callable[[], bool] = _never) -> None:
    """Train one network for ``epochs`` epochs of its plan, without evaluations.

    Raises DivergedError at the first epoch with a loss that is not finite, and InterruptedTrainingError as soon as
    ``interrupted`` says so.
    """
    side_by_side = SideBySide([training])
    while training.epoch < epochs:
        loss_SK = _epoch(side_by_side, interrupted)
        if diverged := _diverged([loss_SK.flatten().tolist()], training.epoch):
            raise diverged
