"""The launcher: one worker process in every slot, until the budget is met."""

import time

from nlb_search.search.errors import SearchError
from nlb_search.search.launching.progress import Show
from nlb_search.search.launching.slots import Slot
from nlb_search.search.launching.worker_process import LEAVE_SECONDS, WorkerProcess
from nlb_search.search.scoring.saved_networks import sweep
from nlb_search.search.study.opening import OpenStudy
from nlb_search.search.study.status import Standing, standing_of
from nlb_search.search.workers.stopping import Stop
from nlb_search.storage.database.retrying import Patience
from nlb_search.storage.studies import said_if_deleted

LOOK_SECONDS = 1.0


def run_workers(open_study: OpenStudy, slots: list[Slot], stop: Stop, hours: float | None, show: Show) -> Standing:
    """Keep a worker in every slot until the budget is met, ``hours`` are over or ``stop`` is set.

    Returns where the study then stands; every worker has left. Raises SearchError when all workers were given up
    before the budget was met, with the reason of one.
    """
    workers = [WorkerProcess(slot, open_study.name, open_study.place) for slot in slots]
    deadline = time.monotonic() + hours * 3600 if hours is not None else float("inf")
    patience = Patience(stop)
    try:
        while not (stop.is_set() or time.monotonic() >= deadline or all(worker.is_over for worker in workers)):
            for worker in workers:
                worker.look()
            standing = _look(open_study, patience)
            show.update(standing)
            if standing.is_met and not any(worker.is_here for worker in workers):
                break  # none is started again to find nothing to do
            stop.wait(LOOK_SECONDS)
    finally:
        _dismiss(workers)
    patience.call(lambda: sweep(open_study))
    standing = _look(open_study, patience)
    show.update(standing)
    reasons = [worker.why_given_up for worker in workers if worker.why_given_up is not None]
    if not standing.is_met and len(reasons) == len(workers):
        raise SearchError(f"every worker was given up: {reasons[-1]}")
    return standing


def _look(open_study: OpenStudy, patience: Patience) -> Standing:
    with said_if_deleted(open_study.name):
        return patience.call(lambda: standing_of(open_study))


def _dismiss(workers: list[WorkerProcess]) -> None:
    for worker in workers:
        worker.ask_to_leave()
    leave_by = time.monotonic() + LEAVE_SECONDS
    for worker in workers:
        worker.wait_or_kill(leave_by)
