"""A worker: takes trials, one or several at a time, until the budget is met."""

import math
import time

from nlb_search.models.training.fitting import Val
from nlb_search.search.scoring.saved_networks import remove_unused_checkpoints
from nlb_search.search.scoring.targets import targets_of
from nlb_search.search.study.opening import OpenStudy
from nlb_search.search.study.specification import check_versions
from nlb_search.search.tensors import counts_of
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.memory import keep_freed_memory
from nlb_search.search.workers.stopping import Stop
from nlb_search.search.workers.trial import TrialContext
from nlb_search.search.workers.trial_batch import TrialBatch
from nlb_search.storage.checkpoints import check_folder
from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.study_commands import StudyCommand, StudyCommands

IDLE_SECONDS = 1.0

SIDE_BY_SIDE = {"cpu": 1, "cuda": 32}
"""Trials that a worker trains together, unless told. On a CPU few more trials finish so, and the sampler learns later
from each; for GPUs this is a guess.
"""

BUDGET_SHARE = 4
"""Unless told, no worker begins with more than one in so many of the study's trials: the sampler must see some end."""


def work(open_study: OpenStudy, stop: Stop, side_by_side: int | None = None) -> None:
    """Run trials, ``side_by_side`` at a time, until the budget is met, ``stop`` is set or the study is stopped.

    Unless told, it runs as many as suit the device: ``SIDE_BY_SIDE``. While the study is paused, it waits.

    Raises SearchError after ten failures in a row, with the last reason; StorageError if the database stays away.
    """
    keep_freed_memory()
    retry = DatabaseRetry(stop)
    claims = open_study.claims(retry)
    context = make_context(open_study, stop)
    most = side_by_side or min(SIDE_BY_SIDE[context.device.type], math.ceil(open_study.spec.trials / BUDGET_SHARE))
    retry.call(lambda: remove_unused_checkpoints(open_study))
    orders = StudyCommands(open_study.study, retry)
    with claims.heartbeat() as heartbeat:
        batch, ask_again_at = TrialBatch(context, heartbeat), 0.0
        while True:
            stop.check_launcher()
            order = orders.now()
            stop.rest(order.releases_trials)
            if order is StudyCommand.WORK and time.monotonic() >= ask_again_at and not _fill(batch, most, claims, stop):
                # Others hold the last trials; a crew that is short of some need not ask at every evaluation.
                ask_again_at = time.monotonic() + IDLE_SECONDS
            if batch:
                batch.advance()
            elif stop.is_set() or order.ends or claims.is_met():
                return
            else:
                # One of the last trials may yet fail or lose its worker.
                stop.wait(IDLE_SECONDS)


def _fill(batch: TrialBatch, most: int, claims: Claims, stop: Stop) -> bool:
    """Take up trials until the crew is full; returns whether there were enough."""
    while len(batch) < most and batch.accepts_trials and not stop.is_set():
        claim = claims.next(batch.numbers)
        if claim is None:
            return False
        batch.start(claim)
    return True


def make_context(open_study: OpenStudy, stop: Stop) -> TrialContext:
    """What the trials of the study need. Raises SearchError for a wrong version or recording."""
    check_versions(open_study.spec)
    check_folder(open_study.checkpoints.folder)
    recording = open_study.recording()
    device = training_device()
    return TrialContext(
        spec=open_study.spec,
        train=counts_of(recording.train).to(device),
        val=Val(counts_of(recording.val).to(device)),
        targets=targets_of(recording, device),
        checkpoints=open_study.checkpoints,
        device=device,
        stop=stop,
    )
