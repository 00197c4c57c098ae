"""Trials that one worker trains side by side, in one computation. Apart from that, the trials are independent."""

import logging
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from nlb_search.models.training.replicates import Replicates
from nlb_search.models.training.state import Progress
from nlb_search.models.training.trainer import Trainer
from nlb_search.search.errors import SearchError
from nlb_search.search.workers.trial import TrialRun, run_trial
from nlb_search.search.workers.trial_context import TrialContext
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.claims.heartbeat import Heartbeat
from nlb_search.storage.database.failures import is_transient
from nlb_search.storage.errors import LostTrialError, StorageError

MAX_FAILURES = 10
"""After this many failures in a row, the worker exits, because the cause is probably the worker."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Member:
    """A running trial, with its claim and the context that keeps its heartbeat alive."""

    claim: Claim
    run: TrialRun
    alive: ExitStack


class TrialsSideBySide:
    """The running trials of a worker: trained together to their next evaluation, then handled one by one.

    A trial that fails is recorded with the reason and removed; the others continue.
    """

    def __init__(self, context: TrialContext, heartbeat: Heartbeat) -> None:
        self._context, self._heartbeat = context, heartbeat
        self._trainer = Trainer(context.val)
        self._trainings: dict[_Member, Replicates] = {}
        self._failures = 0
        self._counted_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._trainings)

    @property
    def accepts_trials(self) -> bool:
        """Whether trials may be added: not while a trial must run alone, up to the epoch at which its workers died."""
        return not any(
            member.claim.lost_workers.need_isolation and training.epoch <= member.claim.lost_workers.step
            for member, training in self._trainings.items()
        )

    @property
    def numbers(self) -> list[int]:
        """Numbers of the running trials."""
        return [member.claim.number for member in self._trainings]

    def start(self, claim: Claim) -> None:
        """Start a trial. Raises the same errors as ``advance``."""
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

    def _resume(self, member: _Member, outcome: Progress | Exception | None) -> None:
        """Resume the trial's generator, which yields to continue training and returns when the trial has finished."""
        try:
            match outcome:
                case Exception():
                    self._trainings[member] = member.run.throw(outcome)
                case Progress():
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
