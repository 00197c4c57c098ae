import dataclasses
import subprocess
import sys
from collections import Counter
from pathlib import Path

import claimant
import optuna
import pytest
from claimant import claims_of, count_states
from optuna.trial import TrialState
from silent_workers import set_back_heartbeats

from nlb_search.storage.claims.claim import FAILURE_KEY
from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.claims.lost_workers import ISOLATION_AFTER, LOST_WORKERS_KEY, MAX_LOST_WORKERS
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.database.opening import GRACE_SECONDS, open_database
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import LostTrialError, StorageError
from nlb_search.storage.studies import make_study

ELSEWHERE = {"host": "elsewhere", "machine": "another", "pid": 1, "started": 0.0, "worker": "one"}
IN_HAND = range(10)
"""Every trial of these studies: the worker that asks for another has all that it took in hand."""
CLAIMANT = Path(claimant.__file__)


@pytest.fixture
def claims(url: StorageUrl) -> Claims:
    make_study(url, open_database(url), "study", spec={}, start={})
    return claims_of(url.with_password, "study", budget=3)


def _claimant(url: StorageUrl, budget: int, what: str, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(CLAIMANT), url.with_password, "study", str(budget), what, str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _take(claims: Claims) -> int:
    """Take a trial, which must be there, and return its number; those that were taken before stay in hand."""
    claim = claims.next(IN_HAND)
    assert claim is not None
    return claim.number


def test_four_processes_finish_exactly_the_budget(url: StorageUrl, claims: Claims) -> None:
    processes = [_claimant(url, budget=25, what="work", seed=seed) for seed in range(4)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0, 0]
    states = count_states(claims.study)
    assert states[TrialState.COMPLETE] + states[TrialState.PRUNED] == 25
    assert states[TrialState.FAIL] > 0
    assert states[TrialState.RUNNING] == states[TrialState.WAITING] == 0
    numbers = Counter(trial.number for trial in claims.study.get_trials(deepcopy=False))
    assert max(numbers.values()) == 1


def test_no_more_trials_are_begun_than_the_budget(claims: Claims) -> None:
    assert [_take(claims) for _ in range(3)] == [0, 1, 2]
    assert claims.next(IN_HAND) is None
    assert not claims.is_finished()


def test_a_failed_trial_gives_its_place_back_and_keeps_its_reason(claims: Claims) -> None:
    taken = [claims.next(IN_HAND) for _ in range(3)]
    assert taken[1] is not None
    taken[1].fail("out of memory")
    assert _take(claims) == 3
    failed = claims.study.get_trials(states=(TrialState.FAIL,))
    assert [trial.user_attrs[FAILURE_KEY] for trial in failed] == ["out of memory"]


def test_the_trial_of_a_killed_process_goes_on_under_its_number(url: StorageUrl, claims: Claims) -> None:
    holder = _claimant(url, budget=3, what="hold", seed=0)
    assert holder.stdout is not None
    number = int(holder.stdout.readline())
    assert _take(claims) != number, "its process lives, so the trial is its own"
    holder.kill()
    holder.wait()
    taken = claims.next()
    assert taken is not None
    assert taken.number == number
    before = claims.study.trials[number]
    assert taken.sample(lambda trial: {"x": trial.suggest_float("x", 0, 1)}) == before.params
    taken.report(0.9, 1)
    taken.report(0.5, 2)
    taken.complete(0.5)
    after = claims.study.trials[number]
    assert after.intermediate_values == {1: 0.1, 2: 0.5}, "what was reported before the cut counts once"
    assert after.value == 0.5


def test_a_trial_handed_back_is_taken_at_once(claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claim.release()
    assert _take(claims) == claim.number


def test_a_trial_that_is_finished_while_it_is_taken_over_is_left_alone(url: StorageUrl, claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claim.release()

    def finish_it_first(number: int) -> optuna.samplers.BaseSampler:
        optuna.load_study(study_name="study", storage=url.for_optuna).tell(number, 0.3)
        return optuna.samplers.RandomSampler()

    assert dataclasses.replace(claims, make_sampler=finish_it_first).next() is None
    assert claims.study.trials[0].value == 0.3
    assert _take(claims) == 1


def test_a_worker_elsewhere_is_given_up_only_after_a_long_silence(url: StorageUrl, claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claim.annotate(**{OWNER_KEY: ELSEWHERE})
    assert _take(claims) == 1
    set_back_heartbeats(url, GRACE_SECONDS + 5)
    assert _take(claims) == 0


def test_a_live_worker_here_keeps_its_trial_however_long_the_database_was_away(url: StorageUrl, claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    set_back_heartbeats(url, GRACE_SECONDS + 5)
    assert _take(claims) == 1
    claim.complete(0.1)


def test_a_trial_that_takes_its_workers_with_it_is_failed_in_the_end(url: StorageUrl, claims: Claims) -> None:
    for _ in range(MAX_LOST_WORKERS + 1):
        holder = _claimant(url, budget=3, what="hold", seed=0)
        assert holder.stdout is not None
        assert int(holder.stdout.readline()) == 0
        holder.kill()
        holder.wait()
    assert _take(claims) == 1
    failed = claims.study.trials[0]
    assert failed.state == TrialState.FAIL
    assert "4 workers in a row died while running it, after step 1" in failed.user_attrs[FAILURE_KEY]


def test_a_worker_in_another_container_of_the_same_name_is_not_taken_for_dead(claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claim.annotate(**{OWNER_KEY: claim.owner.as_attribute() | {"machine": "another", "pid": 2**22 + 1}})
    assert _take(claims) == 1


def test_a_deleted_study_is_said_in_a_line(url: StorageUrl, claims: Claims) -> None:
    optuna.delete_study(study_name="study", storage=open_database(url))
    for attempt in (claims.next, claims.is_finished):
        with pytest.raises(StorageError, match="the study 'study' was deleted"):
            attempt()


def test_who_lost_a_trial_is_told_and_changes_nothing(claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claim.annotate(**{OWNER_KEY: ELSEWHERE})
    for attempt in (
        lambda: claim.report(0.3, 1),
        lambda: claim.complete(0.3),
        claim.prune,
        claim.release,
        lambda: claim.fail("no"),
    ):
        with pytest.raises(LostTrialError, match="trial 0 was taken over by another worker"):
            attempt()
    trial = claims.study.trials[0]
    assert trial.state == TrialState.RUNNING
    assert trial.intermediate_values == {}
    assert trial.user_attrs == {OWNER_KEY: ELSEWHERE}


def test_a_trial_finished_by_hand_is_lost_too(claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claims.study.tell(claim.number, state=TrialState.FAIL)
    with pytest.raises(LostTrialError):
        claim.report(0.3, 1)


def test_parameters_drawn_before_a_cut_are_kept_and_the_rest_is_drawn(claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    first = claim.sample(lambda trial: {"x": trial.suggest_float("x", 0, 1)})
    again = claim.sample(lambda trial: {name: trial.suggest_float(name, 0, 1) for name in ("x", "y")})
    assert again["x"] == first["x"]
    assert claims.study.trials[0].params == again


def test_a_worker_takes_up_a_trial_that_it_was_given_and_never_heard_of(claims: Claims) -> None:
    assert _take(claims) == 0
    again = claims.next(in_hand=())
    assert again is not None
    assert again.number == 0
    assert LOST_WORKERS_KEY not in claims.study.trials[0].user_attrs, "nobody vanished"


def test_a_trial_that_two_workers_vanished_with_is_lived_alone(url: StorageUrl, claims: Claims) -> None:
    for _ in range(ISOLATION_AFTER):
        holder = _claimant(url, budget=3, what="hold", seed=0)
        assert holder.stdout is not None
        assert int(holder.stdout.readline()) == 0
        holder.kill()
        holder.wait()
    beside = claims.next(in_hand=[7])
    assert beside is not None
    assert beside.number == 1
    alone = claims.next()
    assert alone is not None
    assert alone.number == 0
    assert alone.lost_workers.need_isolation
    assert alone.lost_workers.step == 1


def test_a_trial_begun_beyond_the_budget_is_not_gone_on_with(claims: Claims) -> None:
    """As when the server cut a worker's connection, and its lock with it, while it took the last trial."""
    assert [_take(claims) for _ in range(3)] == [0, 1, 2]
    one_more = claims.study.ask()
    assert claims.next(IN_HAND) is None
    trial = claims.study.trials[one_more.number]
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs[FAILURE_KEY].startswith("it was started beyond the budget")
    assert count_states(claims.study)[TrialState.RUNNING] == 3
