import random
from itertools import combinations

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.orm import Session

from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.database import trial_cache
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.trial_cache import fresh_trials
from nlb_search.storage.database.trial_reading import read_trials
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.studies import make_study, open_study
from tests.helpers.processes.claimant import claims_of

STATES = [states for n in range(1, 6) for states in combinations(TrialState, n)]


@pytest.fixture
def study(url: StorageUrl) -> optuna.Study:
    database = open_database(url)
    make_study(url, database, "study", spec={}, starts=[])
    return open_study(database, "study").study


def _another_process(url: StorageUrl) -> optuna.Study:
    """The study as read by Optuna, without any cache."""
    return optuna.load_study(study_name="study", storage=url.for_optuna, sampler=RandomSampler(seed=0))


def _seen(trials: list[FrozenTrial]) -> list[tuple[object, ...]]:
    return [(t.number, t.state, t.values, t.params, t.user_attrs, t.intermediate_values) for t in trials]


def test_cache_matches_optuna_after_any_changes(url: StorageUrl, study: optuna.Study) -> None:
    others, draw = _another_process(url), random.Random(0)
    for turn in range(40):
        running = others.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        match draw.randrange(5):
            case 0 | 1:
                others.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
            case 2:
                others.enqueue_trial({"x": draw.random()})
            case 3 if running:
                optuna.Trial(others, draw.choice(running)._trial_id).report(draw.random(), turn)
            case _ if running:
                state = draw.choice((TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED))
                value = draw.random() if state == TrialState.COMPLETE else None
                others.tell(draw.choice(running).number, value, state)
        states = draw.choice([None, *STATES])
        found = others.get_trials(states=states)
        assert _seen(study.get_trials(states=states)) == _seen(found)
        assert study._storage.get_n_trials(study._study_id, states) == len(found)


def test_trials_are_a_consistent_snapshot(url: StorageUrl, study: optuna.Study) -> None:
    others = _another_process(url)
    others.tell(others.ask(), 0.1)
    with fresh_trials(study):
        assert len(study.get_trials()) == 1
        others.tell(others.ask(), 0.2)
        assert len(study.get_trials(states=(TrialState.COMPLETE,))) == 1
    assert len(study.get_trials(states=(TrialState.COMPLETE,))) == 2


@pytest.mark.usefixtures("study")
def test_report_does_not_read_trials_of_other_workers(url: StorageUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_cache, "PRUNER_SECONDS", 600.0)  # whatever else the machine does meanwhile
    claims, others = (claims_of(url.with_password, "study", budget=20) for _ in range(2))
    claim = _take(claims)
    alone = _read_by_a_report(claim, step=1)
    running = [_take(others) for _ in range(9)]
    for other in running:
        other.report(0.1, 1)
    assert _read_by_a_report(claim, step=2) == alone
    for other in running[:5]:  # the median pruner judges from five complete trials on
        other.complete(0.1)
    assert _read_by_a_report(claim, step=3) == alone, "the pruner hears of them later"
    _take(claims).complete(0.1)
    assert _read_by_a_report(claim, step=4) == alone + 1, "but of what its own worker finished at once"
    assert _read_by_a_report(claim, step=5) == alone
    assert _take(claims).report(0.05, 1), "the pruner has what it needs"


def _take(claims: Claims) -> Claim:
    claim = claims.next(running_numbers=range(100))
    assert claim is not None
    return claim


def _read_by_a_report(claim: Claim, step: int) -> int:
    """Number of trials that are fully read from the database."""
    read: list[FrozenTrial] = []

    def keep(session: Session, trial_ids: list[int]) -> list[FrozenTrial]:
        found = read_trials(session, trial_ids)
        read.extend(found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial_cache, "read_trials", keep)
        claim.report(0.2, step)
    return len(read)
