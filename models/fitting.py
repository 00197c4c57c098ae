"""Training networks to the end of their plans, one evaluation at a time.

Nothing here knows who is listening: what happened is returned, and the caller decides to report, prune, save or stop.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from statistics import fmean

import torch
from torch import Tensor

from models import scores
from models.errors import DivergedError, InterruptedTrainingError
from models.network import EVALUATION_BATCH
from models.side_by_side import SideBySide
from models.tensors import Counts
from models.training import Progress, Training


class Val:
    """The trials that networks are scored on in training, on the device, with what scores need made ready once."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.heldin_BWI = counts.heldin_BWI
        self.heldout = scores.heldout(counts)
        self.forward = scores.forward(counts)

    def scores_of(self, side_by_side: SideBySide) -> Tensor:
        """co-bps and fp-bps of every network, 2 x K, still on the device."""
        sizes = self.counts.sizes
        n_networks = len(side_by_side.trainings)
        gains: list[list[Tensor]] = [[], []]
        at_once = math.ceil(EVALUATION_BATCH / n_networks)
        for start in range(0, self.counts.n_trials, at_once):
            trials = slice(start, start + at_once)
            rates_KBTN = side_by_side.rates(self.heldin_BWI[trials])
            parts = (
                (self.heldout, rates_KBTN[:, :, : sizes.n_window, sizes.n_heldin :]),
                (self.forward, rates_KBTN[:, :, sizes.n_window :]),
            )
            for found, (scored, rates) in zip(gains, parts, strict=True):
                found.append(torch.stack([scored.gain(of_one, trials) for of_one in rates]))
        return torch.stack(
            [
                torch.cat(found, dim=1).sum(dim=1) / scored.spikes_B.sum() / math.log(2)
                for found, scored in zip(gains, (self.heldout, self.forward), strict=True)
            ]
        )


def _never() -> bool:
    return False


def advance(
    trainings: Sequence[Training], val: Val, interrupted: Callable[[], bool] = _never
) -> list[Progress | DivergedError]:
    """Train each to its next evaluation, side by side; returns how each came out of it.

    The trainings are of one kind (``Training.kind``) and not done. One that leaves the finite numbers is of no more
    use, and disturbs no other. Raises InterruptedTrainingError as soon as ``interrupted`` says so: the trainings then
    stand at the end of an epoch.
    """
    losses: dict[Training, list[Tensor]] = {training: [] for training in trainings}
    waiting = list(trainings)
    while waiting:
        for training, loss_S in zip(waiting, _epoch(waiting, interrupted).unbind(1), strict=True):
            losses[training].append(loss_S)
        waiting = [training for training in waiting if not training.plan.is_look(training.epoch)]
    scores_KX = val.scores_of(SideBySide(trainings)).T.tolist()
    return [
        _judged(training, torch.stack(losses[training]).tolist(), *scores_X)
        for training, scores_X in zip(trainings, scores_KX, strict=True)
    ]


def _epoch(trainings: Sequence[Training], interrupted: Callable[[], bool]) -> Tensor:
    """Train each for one epoch; returns the losses of its steps, steps x K, still on the device."""
    side_by_side = SideBySide(trainings)
    loss_SK = side_by_side.train_epoch(interrupted)
    if loss_SK is None:
        raise InterruptedTrainingError(f"interrupted in epoch {trainings[0].epoch + 1}")
    side_by_side.write_back()
    for training in trainings:
        training.epoch += 1
    return loss_SK


def _judged(training: Training, losses: list[list[float]], co_bps: float, fp_bps: float) -> Progress | DivergedError:
    """What became of a training, from the losses of its last epochs' steps and its scores.

    Keeps its network if it is the best so far.
    """
    if diverged := _diverged(losses, training.epoch):
        return diverged
    if not (math.isfinite(co_bps) and math.isfinite(fp_bps)):
        return DivergedError(f"the scores became {co_bps}, {fp_bps} in epoch {training.epoch}")
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
    ready = Val(val.to(training.device))
    while not training.is_done:
        (outcome,) = advance([training], ready, interrupted)
        if isinstance(outcome, DivergedError):
            raise outcome
        yield outcome


def train_through(training: Training, epochs: int, interrupted: Callable[[], bool] = _never) -> None:
    """Train one network through so many epochs of its plan without a look at val.

    Raises DivergedError at the first epoch with a loss that is not finite, and InterruptedTrainingError as soon as
    ``interrupted`` says so.
    """
    while training.epoch < epochs:
        loss_SK = _epoch([training], interrupted)
        if diverged := _diverged([loss_SK.flatten().tolist()], training.epoch):
            raise diverged
