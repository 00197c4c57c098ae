"""A worker: takes trials, one or several at a time, until the budget is met."""

import math
import time

from nlb_search.models.training.fitting import Val
from nlb_search.search.scoring.saved_networks import sweep
from nlb_search.search.scoring.targets import targets_of
from nlb_search.search.study.opening import OpenStudy
from nlb_search.search.study.specification import check_versions
from nlb_search.search.tensors import counts_of
from nlb_search.search.workers.devices import training_device
from nlb_search.search.workers.memory import keep_freed_memory
from nlb_search.search.workers.stopping import Stop
from nlb_search.search.workers.trial import Bench
from nlb_search.search.workers.trial_batch import Crew
from nlb_search.storage.checkpoints import check_folder
from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.database.retrying import Patience
from nlb_search.storage.study_commands import Order, Orders

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
    patience = Patience(stop)
    claims = open_study.claims(patience)
    bench = bench_of(open_study, stop)
    most = side_by_side or min(SIDE_BY_SIDE[bench.device.type], math.ceil(open_study.spec.trials / BUDGET_SHARE))
    patience.call(lambda: sweep(open_study))
    orders = Orders(open_study.study, patience)
    with claims.heartbeat() as heartbeat:
        crew, ask_again_at = Crew(bench, heartbeat), 0.0
        while True:
            stop.check_launcher()
            order = orders.now()
            stop.rest(order.hands_back)
            if order is Order.WORK and time.monotonic() >= ask_again_at and not _fill(crew, most, claims, stop):
                # Others hold the last trials; a crew that is short of some need not ask at every evaluation.
                ask_again_at = time.monotonic() + IDLE_SECONDS
            if crew:
                crew.move_on()
            elif stop.is_set() or order.ends or claims.is_met():
                return
            else:
                # One of the last trials may yet fail or lose its worker.
                stop.wait(IDLE_SECONDS)


def _fill(crew: Crew, most: int, claims: Claims, stop: Stop) -> bool:
    """Take up trials until the crew is full; returns whether there were enough."""
    while len(crew) < most and crew.may_grow and not stop.is_set():
        claim = claims.next(crew.numbers)
        if claim is None:
            return False
        crew.take_up(claim)
    return True


def bench_of(open_study: OpenStudy, stop: Stop) -> Bench:
    """What the trials of the study need. Raises SearchError for a wrong version or recording."""
    check_versions(open_study.spec)
    check_folder(open_study.checkpoints.folder)
    recording = open_study.recording()
    device = training_device()
    return Bench(
        spec=open_study.spec,
        train=counts_of(recording.train).to(device),
        val=Val(counts_of(recording.val).to(device)),
        targets=targets_of(recording, device),
        checkpoints=open_study.checkpoints,
        device=device,
        stop=stop,
    )
