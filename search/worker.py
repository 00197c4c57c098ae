"""A worker: takes one trial after another until the budget is met."""

import logging

from optuna.trial import TrialState

from search.devices import training_device
from search.errors import SearchError
from search.opening import OpenStudy
from search.spec import check_versions
from search.stopping import Stop
from search.targets import targets_of
from search.tensors import counts_of
from search.trial import Bench, run_trial
from storage.checkpoints import check_folder
from storage.claims import Claim
from storage.errors import LostTrialError, StorageError
from storage.patience import Patience, is_away

MOST_FAILURES = 10
"""Failures in a row after which it is the worker, and not the trial, that has something wrong."""

IDLE_SECONDS = 1.0

_log = logging.getLogger(__name__)


def work(open_study: OpenStudy, stop: Stop) -> None:
    """Run trials until the budget is met or ``stop`` is set.

    Raises SearchError after ten failures in a row, with the last reason; StorageError if the database stays away.
    """
    check_versions(open_study.spec)
    check_folder(open_study.checkpoints.folder)
    recording = open_study.recording()
    device = training_device()
    bench = Bench(
        spec=open_study.spec,
        train=counts_of(recording.train).to(device),
        val=counts_of(recording.val).to(device),
        targets=targets_of(recording, device),
        checkpoints=open_study.checkpoints,
        device=device,
        stop=stop,
    )
    patience = Patience(stop)
    claims = open_study.claims(patience)
    patience.call(lambda: _sweep(open_study))
    failures = 0
    while not stop.is_set():
        stop.check_launcher()
        claim = claims.next()
        if claim is None:
            if claims.is_met():
                return
            # The last trials are held by others; one of them may yet fail or lose its worker.
            stop.wait(IDLE_SECONDS)
            continue
        reason = _run(claim, bench)
        failures = failures + 1 if reason else 0
        if failures == MOST_FAILURES:
            raise SearchError(f"{MOST_FAILURES} trials in a row failed, the last with: {reason}")


def _run(claim: Claim, bench: Bench) -> str | None:
    """Run one trial; returns why it failed, or None if it did not. The trial's failure is recorded in the study."""
    try:
        with claim.alive():
            run_trial(claim, bench)
    except LostTrialError as error:
        _log.warning("%s; going on with another", error)
    except StorageError:
        raise
    except Exception as error:
        if is_away(error):
            raise
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        _log.warning("trial %d failed: %s", claim.number, reason)
        _log.debug("trial %d", claim.number, exc_info=error)
        return _recorded(claim, bench, reason)
    return None


def _recorded(claim: Claim, bench: Bench, reason: str) -> str | None:
    """Fail the trial for ``reason``; returns None if it was not this worker's any more."""
    try:
        claim.fail(reason)
    except LostTrialError as error:
        _log.warning("%s", error)
        return None
    bench.checkpoints.forget(claim.number)
    return reason


def _sweep(open_study: OpenStudy) -> None:
    """Remove checkpoints that a worker left when it was killed between finishing its trial and tidying up."""
    for trial in open_study.study.get_trials(deepcopy=False):
        if trial.state == TrialState.COMPLETE:
            open_study.checkpoints.forget_running(trial.number)
        elif trial.state.is_finished():
            open_study.checkpoints.forget(trial.number)
