"""Trials that one worker trains side by side, in one computation: how many, and how each of them ends."""

import logging
import math
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import torch

from nlb_search.models.training.replicates import Replicates
from nlb_search.models.training.trainer import Trainer
from nlb_search.models.training.training import Evaluation
from nlb_search.search.errors import SearchError
from nlb_search.search.workers.trial import TrialRun, run_trial
from nlb_search.search.workers.trial_context import TrialContext
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.claims.heartbeat import Heartbeat
from nlb_search.storage.database.failures import is_transient
from nlb_search.storage.errors import LostTrialError, StorageError

SIDE_BY_SIDE = {"cpu": 1, "cuda": 32}
"""Default number of networks side by side, by device; a trial with several seeds has several.

On a CPU, more than one gains little and delays the results that the sampler learns from. On an H200, a step of 64
networks takes 3.5 times as long as a step of one.
"""

BUDGET_SHARE = 4
"""By default, a worker runs at most a quarter of the study's trials at once, so that the sampler sees results."""

MAX_FAILURES = 10
"""After this many failures in a row, the worker exits, because the cause is probably the worker."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Member:
    """A running trial, with its claim and the context that keeps its heartbeat alive."""

    claim: Claim
    run: TrialRun
    alive: ExitStack


def default_side_by_side(device: torch.device, seeds: int, budget: int) -> int:
    """Default number of trials side by side, each of ``seeds`` networks, in a study of ``budget`` trials."""
    return min(math.ceil(SIDE_BY_SIDE[device.type] / seeds), math.ceil(budget / BUDGET_SHARE))


class TrialsSideBySide:
    """The running trials of a worker: trained together to their next evaluation, then handled one by one.

    There are at most ``side_by_side`` of them. Apart from the computation that they share, they are independent: a
    trial that fails is recorded with the reason and removed, and the others continue.
    """

    def __init__(self, context: TrialContext, heartbeat: Heartbeat, side_by_side: int) -> None:
        self._context, self._heartbeat, self._side_by_side = context, heartbeat, side_by_side
        self._trainer = Trainer(context.val)
        self._trainings: dict[_Member, Replicates] = {}
        self._failures = 0
        self._counted_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._trainings)

    def fill(self, claims: Claims) -> bool:
        """Claim and start trials until ``side_by_side`` are running. Returns False if there were not enough trials.

        Raises the same errors as ``advance``.
        """
        while len(self) < self._side_by_side and self._accepts_trials and not self._context.stop.is_set():
            claim = claims.next([member.claim.number for member in self._trainings])
            if claim is None:
                return False
            self._start(claim)
        return True

    @property
    def _accepts_trials(self) -> bool:
        """Whether trials may be added: not while a trial must run alone, up to the epoch at which its workers died."""
        return not any(
            member.claim.lost_workers.need_isolation and training.epoch <= member.claim.lost_workers.step
            for member, training in self._trainings.items()
        )

    def _start(self, claim: Claim) -> None:
        if not self._trainings:
            self._counted_at = time.monotonic()
        alive = ExitStack()
        alive.enter_context(claim.kept_alive(self._heartbeat))
        self._resume(_Member(claim, run_trial(claim, self._context), alive), None)

    def advance(self) -> None:
        """Train every trial to its next evaluation and let it handle the result.

        Raises SearchError after ten failures in a row, with the last reason, and StorageError if the
        database stays unreachable.
        """
        networks = [training for replicates in self._trainings.values() for training in replicates.trainings]
        outcomes = dict(zip(networks, self._trainer.advance(networks, self._interrupted), strict=True))
        self._count_time()
        first_error: Exception | None = None
        for member, replicates in list(self._trainings.items()):
            outcome = replicates.evaluated([outcomes[training] for training in replicates.trainings])
            try:
                self._resume(member, outcome)
            except Exception as error:  # every trial must get its result and save it before the worker exits
                first_error = first_error or error
        if first_error is not None:
            raise first_error

    def save(self, error: StorageError) -> None:
        """Let every trial save a checkpoint before the worker exits because of ``error``."""
        for member in self._trainings:
            with suppress(StorageError):
                member.run.throw(error)

    def _count_time(self) -> None:
        """Add the time since the last count to the trials, which share it equally."""
        now = time.monotonic()
        for member in self._trainings:
            member.claim.spent.seconds += (now - self._counted_at) / len(self._trainings)
        self._counted_at = now

    def _interrupted(self) -> bool:
        return self._context.stop.is_urgent()

    def _resume(self, member: _Member, outcome: Evaluation | Exception | None) -> None:
        """Resume the trial's generator, which yields to continue training and returns when the trial has finished."""
        try:
            match outcome:
                case Exception():
                    self._trainings[member] = member.run.throw(outcome)
                case Evaluation():
                    self._trainings[member] = member.run.send(outcome)
                case None:
                    self._trainings[member] = next(member.run)
        except StopIteration:
            self._failures = 0
            self._remove(member)
        except LostTrialError as error:
            _log.warning("%s; continuing with another trial", error)
            self._failures = 0
            self._remove(member)
        except StorageError:
            raise
        except Exception as error:
            if is_transient(error):
                raise
            self._remove(member)
            self._record_failure(member.claim, error)

    def _remove(self, member: _Member) -> None:
        self._trainings.pop(member, None)
        member.alive.close()

    def _record_failure(self, claim: Claim, error: Exception) -> None:
        """Record why the trial failed, unless another worker holds it now."""
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        _log.warning("trial %d failed: %s", claim.number, reason)
        _log.debug("trial %d", claim.number, exc_info=error)
        try:
            claim.fail(reason)
        except LostTrialError as lost:
            _log.warning("%s", lost)
            return
        self._context.checkpoints.forget(claim.number)
        self._failures += 1
        if self._failures == MAX_FAILURES:
            raise SearchError(f"{MAX_FAILURES} trials in a row failed, the last with: {reason}") from error
