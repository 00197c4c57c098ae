"""A process that claims trials of a study; tests run it and may kill it.

python claimant.py URL STUDY BUDGET work SEED    claim trials until the budget is met; one in four fails
python claimant.py URL STUDY BUDGET hold 0       claim one trial, report once, print its number, and keep holding it
"""

import random
import sys
import threading
import time
from collections import Counter

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


def claims_of(url_text: str, name: str, budget: int) -> Claims:
    nlb_search.storage.database.retrying.FIRST_PAUSE_SECONDS = 0.02  # retry without long pauses
    url, retry = parse_url(url_text), DatabaseRetry(threading.Event())
    stored = retry.call(lambda: open_study(open_database(url), name))
    return Claims(url, stored.study, stored.identity, budget, RandomSampler, retry)


def count_states(study: optuna.Study) -> Counter[TrialState]:
    """Number of trials of the study in each state."""
    return Counter(trial.state for trial in study.get_trials(deepcopy=False))


def main() -> None:
    url, name, budget, what, seed = sys.argv[1:]
    claims = claims_of(url, name, int(budget))
    draw = random.Random(int(seed))
    with claims.heartbeat() as heartbeat:
        while not claims.is_finished():
            claim = claims.next()
            if claim is None:
                time.sleep(0.02)
                continue
            with claim.kept_alive(heartbeat):
                work(claim, what, draw)


def work(claim: Claim, what: str, draw: random.Random) -> None:
    claim.sample(lambda trial: {"x": trial.suggest_float("x", 0, 1)})
    claim.report(0.1, 1)
    if what == "hold":
        print(claim.number, flush=True)
        time.sleep(600)
    match draw.randrange(4):
        case 0:
            claim.fail("drawn to fail")
        case 1:
            claim.prune()
        case _:
            claim.complete(draw.random())


if __name__ == "__main__":
    main()
