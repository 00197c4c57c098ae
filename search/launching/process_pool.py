"""Runs trainings in several processes, one per slot, for commands that wait until all of them have finished."""

import concurrent.futures
import os
import signal
import sys
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver, get_context, parent_process, resource_tracker
from multiprocessing.context import BaseContext
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from typing import TypeVar

import torch

from nlb_search.models.errors import DivergedError, InterruptedTrainingError
from nlb_search.search.errors import SearchError
from nlb_search.search.launching.slots import Slot
from nlb_search.search.worker_protocol import LAUNCHER_VARIABLE
from nlb_search.search.workers.memory import keep_freed_memory
from nlb_search.search.workers.shutdown import Stop

POLL_SECONDS = 0.5

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


def run_in_slots(
    run: Callable[[_Job], _Result],
    jobs: Sequence[_Job],
    slots: list[Slot],
    stop: Stop,
    group_of: Callable[[_Job], Hashable],
) -> Iterator[tuple[_Job, _Result | DivergedError]]:
    """Call ``run`` for each job, in one process per slot; yields each job with its result when it finishes.

    The result is the error if a training diverged; jobs of the same group that have not started are then left out.
    ``run`` should pass ``exit_requested`` to its training. Ends early if ``stop`` is set, and then discards running
    jobs. Raises SearchError if a process was killed.
    """
    if not jobs:
        return
    context = _context()
    requested, free_slots = context.Event(), context.SimpleQueue()
    for slot in slots:
        free_slots.put(slot)
    with concurrent.futures.ProcessPoolExecutor(
        len(slots), context, _initialize, (free_slots, requested, dict(os.environ))
    ) as pool:
        with _without_ctrl_c():
            running = {pool.submit(_unless_exiting, run, job): job for job in jobs}
        try:
            while running and not stop.is_set():
                done, _ = concurrent.futures.wait(running, POLL_SECONDS, concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    job, result = running.pop(future), _result_or_divergence(future)
                    if isinstance(result, DivergedError):
                        for other, waiting in list(running.items()):
                            if group_of(waiting) == group_of(job) and other.cancel():
                                del running[other]
                    yield job, result
        except BrokenProcessPool as error:
            if not stop.is_set():  # a signal to this process may have reached the others, too
                raise SearchError(
                    "a process was killed, possibly because memory ran out: run the command again with fewer "
                    "--workers; finished results are stored"
                ) from error
        finally:
            requested.set()
            pool.shutdown(cancel_futures=True)


def exit_requested() -> bool:
    """In a process of the pool: whether its parent asks all processes to exit."""
    return _requested is not None and _requested.is_set()


def _context() -> BaseContext:
    """A context whose processes are forked from a server that has imported torch, which takes more than a second.

    The server has not used a GPU: CUDA does not survive a fork. Neither do frameworks of macOS that torch may load.
    """
    if sys.platform != "linux":
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, "nlb_search.search.workers.trial"])
    resource_tracker.ensure_running()  # starting it unblocks Ctrl-C, so not below
    with _without_ctrl_c(), _safe_path():
        forkserver.ensure_running()
    return context


@contextmanager
def _safe_path() -> Iterator[None]:
    """Python processes started in this context do not import modules from the working directory."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _result_or_divergence(future: concurrent.futures.Future[_Result]) -> _Result | DivergedError:
    try:
        return future.result()
    except DivergedError as error:
        return error


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Processes started in this context ignore Ctrl-C: the parent handles it and asks them to exit."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_requested: Event | None = None


def _initialize(free_slots: "SimpleQueue[Slot]", requested: Event, environment: dict[str, str]) -> None:
    """Initialize a process of the pool with the environment of its parent and of a free slot, before torch selects a
    device. So far, it has the environment that the parent had when the server started.
    """
    global _requested
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    # A process that was given a GPU fails if it cannot use it.
    os.environ.clear()
    os.environ.update(environment | free_slots.get().environment | {LAUNCHER_VARIABLE: str(os.getppid())})
    torch.set_num_threads(1)
    keep_freed_memory()
    _requested = requested


def _exit_with_parent() -> None:
    """Exit if the parent process was killed."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _unless_exiting(run: Callable[[_Job], _Result], job: _Job) -> _Result:
    if exit_requested():
        raise InterruptedTrainingError("asked to exit")
    return run(job)
