"""Processes that claim trials of the study ``study``; tests may kill them."""

import random
import threading
import time
from collections import Counter
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

import nlb_search.storage.database.retrying
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.studies import open_study
from tests.helpers.processes.forked import FORKED


def claims_of(url_text: str, name: str, budget: int) -> Claims:
    nlb_search.storage.database.retrying.FIRST_PAUSE_SECONDS = 0.02  # retry without long pauses
    url, retry = parse_url(url_text), DatabaseRetry(threading.Event())
    stored = retry.call(lambda: open_study(open_database(url), name))
    return Claims(url, stored.study, stored.identity, budget, RandomSampler, retry)


def count_states(study: optuna.Study) -> Counter[TrialState]:
    """Number of trials of the study in each state."""
    return Counter(trial.state for trial in study.get_trials(deepcopy=False))


def start_workers(url_text: str, number: int, budget: int) -> list[BaseProcess]:
    """Start processes that claim trials until the budget is met; one trial in four fails."""
    workers: list[BaseProcess] = [
        FORKED.Process(target=_work, args=(url_text, budget, random.Random(seed))) for seed in range(number)
    ]
    for worker in workers:
        worker.start()
    return workers


def exit_codes(workers: list[BaseProcess]) -> list[int | None]:
    """The exit codes of processes, for which it waits; None for one that does not exit."""
    for worker in workers:
        worker.join(120)
    return [worker.exitcode for worker in workers]


def start_holder(url_text: str, budget: int) -> tuple[BaseProcess, int]:
    """Start a process that claims a trial, reports once and keeps holding it; returns the trial's number too."""
    receiver, sender = FORKED.Pipe(duplex=False)
    holder = FORKED.Process(target=_hold, args=(url_text, budget, sender))
    holder.start()
    sender.close()
    return holder, receiver.recv()


def _work(url_text: str, budget: int, draw: random.Random) -> None:
    claims = claims_of(url_text, "study", budget)
    with claims.heartbeat() as heartbeat:
        while not claims.is_finished():
            claim = claims.next()
            if claim is None:
                time.sleep(0.02)
                continue
            with claim.kept_alive(heartbeat):
                _begin(claim)
                match draw.randrange(4):
                    case 0:
                        claim.fail("drawn to fail")
                    case 1:
                        claim.prune()
                    case _:
                        claim.complete(draw.random())


def _hold(url_text: str, budget: int, number: Connection) -> None:
    claims = claims_of(url_text, "study", budget)
    claim = claims.next()
    assert claim is not None
    with claims.heartbeat() as heartbeat, claim.kept_alive(heartbeat):
        _begin(claim)
        number.send(claim.number)
        time.sleep(600)


def _begin(claim: Claim) -> None:
    claim.sample(lambda trial: {"x": trial.suggest_float("x", 0, 1)})
    claim.report(0.1, 1)
