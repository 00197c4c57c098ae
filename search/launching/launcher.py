"""The launcher: runs one worker process in every slot until the budget is met."""

import logging
import time

from nlb_search.search.errors import SearchError
from nlb_search.search.launching.progress import ProgressDisplay
from nlb_search.search.launching.slots import Slot
from nlb_search.search.launching.worker_process import SHUTDOWN_SECONDS, WorkerProcess
from nlb_search.search.networks.saved_networks import remove_unused_checkpoints
from nlb_search.search.publishing.publisher import Publisher
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import StudyStatus, study_status
from nlb_search.search.workers.shutdown import Stop
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.studies import explain_if_deleted
from nlb_search.storage.study_identity import check_identity

POLL_SECONDS = 1.0

_log = logging.getLogger(__name__)


def run_workers(
    open_study: OpenStudy, slots: list[Slot], stop: Stop, hours: float | None, display: ProgressDisplay
) -> StudyStatus:
    """Run a worker in every slot until the budget is met, ``hours`` have passed or ``stop`` is set.

    Returns the status of the study after all workers have exited. Raises SearchError, with one of the reasons, if all
    workers failed before the budget was met.
    """
    workers = [WorkerProcess(slot, open_study.name, open_study.locations) for slot in slots]
    deadline = time.monotonic() + hours * 3600 if hours is not None else float("inf")
    retry = DatabaseRetry(stop)
    publisher = Publisher(open_study)
    try:
        while not (stop.is_set() or time.monotonic() >= deadline or all(worker.is_over for worker in workers)):
            status = _read_status(open_study, retry)
            if status.is_finished and not any(worker.is_running for worker in workers):
                break  # neither start nor restart workers: there is nothing left to do
            for worker in workers:
                worker.update()
            display.update(status)
            publisher.update(status)
            stop.wait(POLL_SECONDS)
    finally:
        _terminate(workers)
    retry.call(lambda: remove_unused_checkpoints(open_study))
    status = _read_status(open_study, retry)
    display.update(status)
    publisher.update(status, is_last=True)
    reasons = [worker.failure for worker in workers if worker.failure is not None]
    if not status.is_finished and len(reasons) == len(workers):
        raise SearchError(f"all workers failed: {reasons[-1]}")
    return status


def _read_status(open_study: OpenStudy, retry: DatabaseRetry) -> StudyStatus:
    with explain_if_deleted(open_study.name):
        retry.call(lambda: check_identity(open_study.study, open_study.identity))
        return retry.call(lambda: study_status(open_study))


def _terminate(workers: list[WorkerProcess]) -> None:
    running = [worker.name for worker in workers if worker.is_running]
    if running:
        _log.info(
            "waiting for %s to save and release their trials, for %.0f s at most", ", ".join(running), SHUTDOWN_SECONDS
        )
    for worker in workers:
        worker.terminate()
    kill_at = time.monotonic() + SHUTDOWN_SECONDS
    for worker in workers:
        worker.wait_or_kill(kill_at)
