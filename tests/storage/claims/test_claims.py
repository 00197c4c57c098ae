import dataclasses
from collections import Counter

import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from nlb_search.storage.claims.claim import FAILURE_KEY
from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.claims.lost_workers import ISOLATION_AFTER, LOST_WORKERS_KEY, MAX_LOST_WORKERS
from nlb_search.storage.claims.owner import OWNER_KEY
from nlb_search.storage.database.opening import GRACE_SECONDS, open_database
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.errors import LostTrialError, StorageError
from nlb_search.storage.studies import make_study
from tests.helpers.processes.claimant import claims_of, count_states, exit_codes, start_holder, start_workers
from tests.helpers.processes.silent_workers import set_back_heartbeats

ELSEWHERE = {"host": "elsewhere", "machine": "another", "pid": 1, "started": 0.0, "worker": "one"}
IN_HAND = range(10)
"""All trials of these studies: a worker that asks for another trial still holds the previous ones."""


@pytest.fixture
def claims(url: StorageUrl) -> Claims:
    make_study(url, open_database(url), "study", spec={}, starts=[])
    return claims_of(url.with_password, "study", budget=3)


def _kill_holder_of_trial_0(url: StorageUrl) -> None:
    holder, number = start_holder(url.with_password, budget=3)
    assert number == 0
    holder.kill()
    holder.join()


def _take(claims: Claims) -> int:
    """Claim a trial and return its number; trials that were claimed before are still held."""
    claim = claims.next(IN_HAND)
    assert claim is not None
    return claim.number


def test_four_processes_meet_budget_exactly(url: StorageUrl, claims: Claims) -> None:
    assert exit_codes(start_workers(url.with_password, 4, budget=25)) == [0, 0, 0, 0]
    states = count_states(claims.study)
    assert states[TrialState.COMPLETE] + states[TrialState.PRUNED] == 25
    assert states[TrialState.FAIL] > 0
    assert states[TrialState.RUNNING] == states[TrialState.WAITING] == 0
    numbers = Counter(trial.number for trial in claims.study.get_trials(deepcopy=False))
    assert max(numbers.values()) == 1


def test_no_trials_are_started_beyond_the_budget(claims: Claims) -> None:
    assert [_take(claims) for _ in range(3)] == [0, 1, 2]
    assert claims.next(IN_HAND) is None
    assert not claims.is_finished()


def test_failed_trial_is_replaced_and_keeps_its_reason(claims: Claims) -> None:
    taken = [claims.next(IN_HAND) for _ in range(3)]
    assert taken[1] is not None
    taken[1].fail("out of memory")
    assert _take(claims) == 3
    failed = claims.study.get_trials(states=(TrialState.FAIL,))
    assert [trial.user_attrs[FAILURE_KEY] for trial in failed] == ["out of memory"]


def test_trial_of_killed_process_is_resumed_under_its_number(url: StorageUrl, claims: Claims) -> None:
    holder, number = start_holder(url.with_password, budget=3)
    assert _take(claims) != number, "its process lives, so the trial is its own"
    holder.kill()
    holder.join()
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


def test_released_trial_is_claimed_at_once(claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claim.release()
    assert _take(claims) == claim.number


def test_trial_finished_during_takeover_is_unchanged(url: StorageUrl, claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claim.release()

    def finish_it_first(number: int) -> optuna.samplers.BaseSampler:
        optuna.load_study(study_name="study", storage=url.for_optuna).tell(number, 0.3)
        return optuna.samplers.RandomSampler()

    assert dataclasses.replace(claims, make_sampler=finish_it_first).next() is None
    assert claims.study.trials[0].value == 0.3
    assert _take(claims) == 1


def test_remote_worker_is_lost_only_after_grace_period(url: StorageUrl, claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claim.set_user_attrs(**{OWNER_KEY: ELSEWHERE})
    assert _take(claims) == 1
    set_back_heartbeats(url, GRACE_SECONDS + 5)
    assert _take(claims) == 0


def test_live_local_worker_keeps_its_trial_after_missed_heartbeats(url: StorageUrl, claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    set_back_heartbeats(url, GRACE_SECONDS + 5)
    assert _take(claims) == 1
    claim.complete(0.1)


def test_trial_is_failed_after_too_many_lost_workers(url: StorageUrl, claims: Claims) -> None:
    for _ in range(MAX_LOST_WORKERS + 1):
        _kill_holder_of_trial_0(url)
    assert _take(claims) == 1
    failed = claims.study.trials[0]
    assert failed.state == TrialState.FAIL
    assert "4 workers in a row died while running it, after step 1" in failed.user_attrs[FAILURE_KEY]


def test_worker_in_another_container_is_not_considered_dead(claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claim.set_user_attrs(**{OWNER_KEY: claim.owner.as_attribute() | {"machine": "another", "pid": 2**22 + 1}})
    assert _take(claims) == 1


def test_deleted_study_is_reported(url: StorageUrl, claims: Claims) -> None:
    optuna.delete_study(study_name="study", storage=open_database(url))
    for attempt in (claims.next, claims.is_finished):
        with pytest.raises(StorageError, match="the study 'study' was deleted"):
            attempt()


def test_lost_claim_raises_and_changes_nothing(claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claim.set_user_attrs(**{OWNER_KEY: ELSEWHERE})
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


def test_trial_of_two_objectives_is_reported_and_completed_but_not_pruned(url: StorageUrl) -> None:
    objectives = {"co-bps": StudyDirection.MAXIMIZE, "n-parameters": StudyDirection.MINIMIZE}
    make_study(url, open_database(url), "both", spec={}, starts=[], objectives=objectives)
    claims = claims_of(url.with_password, "both", budget=2)
    claim = claims.next()
    assert claim is not None
    assert not claim.report(0.2, 1)
    claim.complete(0.2, 1000)
    [trial] = claims.study.get_trials()
    assert (trial.state, trial.values, trial.intermediate_values) == (TrialState.COMPLETE, [0.2, 1000.0], {1: 0.2})
    with pytest.raises(LostTrialError):
        claim.complete(0.3, 1000)


def test_manually_finished_trial_is_lost(claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    claims.study.tell(claim.number, state=TrialState.FAIL)
    with pytest.raises(LostTrialError):
        claim.report(0.3, 1)


def test_sampled_parameters_are_kept_and_missing_ones_sampled(claims: Claims) -> None:
    claim = claims.next()
    assert claim is not None
    first = claim.sample(lambda trial: {"x": trial.suggest_float("x", 0, 1)})
    again = claim.sample(lambda trial: {name: trial.suggest_float(name, 0, 1) for name in ("x", "y")})
    assert again["x"] == first["x"]
    assert claims.study.trials[0].params == again


def test_worker_resumes_its_own_unacknowledged_trial(claims: Claims) -> None:
    assert _take(claims) == 0
    again = claims.next(running_numbers=())
    assert again is not None
    assert again.number == 0
    assert LOST_WORKERS_KEY not in claims.study.trials[0].user_attrs, "no worker was lost"


def test_trial_that_lost_two_workers_is_isolated(url: StorageUrl, claims: Claims) -> None:
    for _ in range(ISOLATION_AFTER):
        _kill_holder_of_trial_0(url)
    beside = claims.next(running_numbers=[7])
    assert beside is not None
    assert beside.number == 1
    alone = claims.next()
    assert alone is not None
    assert alone.number == 0
    assert alone.lost_workers.need_isolation
    assert alone.lost_workers.step == 1


def test_trial_started_beyond_the_budget_is_failed(claims: Claims) -> None:
    """This happens if a worker's connection, and with it its lock, is lost while it starts the last trial."""
    assert [_take(claims) for _ in range(3)] == [0, 1, 2]
    one_more = claims.study.ask()
    assert claims.next(IN_HAND) is None
    trial = claims.study.trials[one_more.number]
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs[FAILURE_KEY].startswith("it was started beyond the budget")
    assert count_states(claims.study)[TrialState.RUNNING] == 3
