"""A worker: runs trials, one or several at a time, until the budget is met."""

import time
from collections.abc import Callable

from nlb_search.models.training.trainer import ValScorer
from nlb_search.search.networks.network_removal import remove_networks_by_rule
from nlb_search.search.networks.saved_networks import remove_unused_checkpoints
from nlb_search.search.publishing.publisher import Publisher
from nlb_search.search.recording_tensors import counts_of
from nlb_search.search.scoring.targets import targets_of
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.specification import check_continuation
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.memory import keep_freed_memory
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.trial_context import TrialContext
from nlb_search.search.workers.trials_side_by_side import TrialsSideBySide, default_side_by_side
from nlb_search.storage.checkpoints import check_folder
from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.errors import DeletedStudyError, StorageError
from nlb_search.storage.study_commands import StudyCommand, StudyCommands

IDLE_SECONDS = 1.0


def work(
    open_study: OpenStudy, stop: Stop, side_by_side: int | None = None, publisher: Publisher | None = None
) -> None:
    """Run trials, ``side_by_side`` at a time, until the budget is met, ``stop`` is set or the study is stopped.

    When the budget of hours is used, running trials are released. The default of ``side_by_side`` is that of
    ``default_side_by_side``. While the study is paused, the worker waits. A ``publisher`` is for a worker without a
    launcher, which would publish. Raises SearchError after ten failures in a row, with the last reason, and
    StorageError if the database stays unreachable.
    """
    keep_freed_memory()
    retry = DatabaseRetry(stop)
    claims = open_study.claims(retry)
    context = make_context(open_study, stop)
    side_by_side = side_by_side or default_side_by_side(
        context.device, open_study.spec.seeds, retry.call(lambda: open_study.budget)
    )
    retry.call(lambda: remove_unused_checkpoints(open_study))
    commands = StudyCommands(open_study.study, open_study.identity, retry)
    with claims.heartbeat() as heartbeat:
        running = TrialsSideBySide(context, heartbeat, side_by_side)
        try:

            def after_trials(is_last: bool) -> None:
                retry.call(lambda: remove_networks_by_rule(open_study))
                if publisher is not None:
                    publisher.read_and_update(is_last)

            _run_trials(running, claims, commands, stop, after_trials)
        except DeletedStudyError:
            raise
        except StorageError as error:
            running.save(error)
            raise


def _run_trials(
    running: TrialsSideBySide,
    claims: Claims,
    commands: StudyCommands,
    stop: Stop,
    after_trials: Callable[[bool], None],
) -> None:
    """Run trials until there is nothing left to do or the worker must exit.

    ``after_trials`` is called when trials have ended, and with true when none is left.
    """
    next_claim_at, time_limit = 0.0, claims.time_limit()
    while True:
        stop.check_launcher()
        command = commands.now()
        stop.set_paused(command.releases_trials or time_limit.is_reached())
        if command is StudyCommand.WORK and time.monotonic() >= next_claim_at and not running.fill(claims):
            # Other workers hold the last trials: do not ask for more at every evaluation.
            next_claim_at = time.monotonic() + IDLE_SECONDS
        if running:
            n_running = len(running)
            running.advance()
            if len(running) < n_running:
                after_trials(False)
        elif stop.is_set() or command.ends or claims.is_finished():
            if not stop.is_set():
                after_trials(True)
            return
        else:
            # One of the last trials may still fail or lose its worker.
            stop.wait(IDLE_SECONDS)


def make_context(open_study: OpenStudy, stop: Stop) -> TrialContext:
    """Create the context of the study's trials. Raises SearchError for a wrong version or recording."""
    check_continuation(open_study.spec)
    check_folder(open_study.checkpoints.folder)
    recording = open_study.recording()
    device = training_device()
    return TrialContext(
        spec=open_study.spec,
        train=counts_of(recording.train).to(device),
        val=ValScorer(counts_of(recording.val).to(device)),
        targets=targets_of(recording, device),
        checkpoints=open_study.checkpoints,
        device=device,
        stop=stop,
    )
