import threading
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from optuna.pruners import HyperbandPruner
from optuna.trial import TrialState

from nlb_search.models.architecture.chain import parse_chain
from nlb_search.search.errors import UsageError
from nlb_search.search.sampling.grid import grid_of, shuffled
from nlb_search.search.sampling.samplers import check_sampler, make_sampler
from nlb_search.search.sampling.spaces.trial_parameters import sample
from nlb_search.search.study.specification import SearchSpec
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.claims.claims import Claims
from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.retrying import DatabaseRetry
from nlb_search.storage.database.urls import StorageUrl, parse_url
from nlb_search.storage.studies import make_study, open_study
from tests.helpers.specifications import RNNF, spec_of, written

CHAINS = ("FF -> exp", RNNF)
SMALL = written(
    """
    lr = [0.001, 0.01]
    dropout = 0.4
    l2_weight = [0, 1e-6]
    weight_decay = 0.3
    hidden = [32, 64]
    num_layers = 2
    bidirectional = true
    input_size = ["DT", "dT"]
    mask_ratio = 0.3
    mask_variant = "dot line"
    """
)
"""8 combinations of FF -> exp, and 16 of rnnf."""

EIGHT = written(
    """
    lr = [0.001, 0.01]
    dropout = [0.4, 0.5]
    l2_weight = [0, 1e-6]
    weight_decay = 0.3
    hidden = 32
    num_layers = 2
    bidirectional = true
    input_size = "DT"
    mask_ratio = 0.3
    mask_variant = "dot line"
    """
)


def _brute(spec: SearchSpec) -> set[frozenset[tuple[str, object]]]:
    """All combinations of hyperparameters of every chain, by brute force."""
    found = set()
    for text in spec.architectures:
        own = {name: spec.space[name].values for name in spec.space if name in parse_chain(text).hyperparameters}
        for values in product(*own.values()):
            found.add(frozenset({"architecture": text, **dict(zip(own, values, strict=True))}.items()))
    return found


def test_grid_is_union_of_chain_grids() -> None:
    spec = spec_of(SMALL, CHAINS)
    grid = grid_of(spec.space, spec.architectures)
    assert grid.size == 24
    assert {frozenset(grid.combination(number).items()) for number in range(24)} == _brute(spec)


def test_published_grid_size() -> None:
    assert grid_of(spec_of("paper").space, (RNNF,)).size == 24_300


@pytest.mark.parametrize("size", [1, 2, 7, 24, 1000])
def test_order_is_a_permutation_determined_by_the_seed(size: int) -> None:
    order = [shuffled(position, size, seed=3) for position in range(size)]
    assert sorted(order) == list(range(size))
    assert order == [shuffled(position, size, seed=3) for position in range(size)]
    if size > 20:
        assert order != [shuffled(position, size, seed=4) for position in range(size)]
        assert order != sorted(order)


def test_first_positions_are_uniform_over_seeds() -> None:
    """A chi-squared test of the first two of 5 positions, over 4000 seeds: 19 degrees of freedom, p > 0.001."""
    pairs = [(shuffled(0, 5, seed), shuffled(1, 5, seed)) for seed in range(4000)]
    counts = [pairs.count((first, second)) for first in range(5) for second in range(5) if first != second]
    assert sum((count - 200) ** 2 / 200 for count in counts) < 43.8


def test_huge_grid_is_not_enumerated() -> None:
    spec = spec_of(written("base = 'paper'\nlr = " + str([1e-6 * n for n in range(1, 3000)])))
    grid = grid_of(spec.space, spec.architectures)
    assert grid.size > 10**7
    assert set(grid.combination(shuffled(9, grid.size, seed=0))) >= set(spec.space)


def _claims(url: StorageUrl, spec: SearchSpec) -> Claims:
    """The study as one worker opens it."""
    stored = open_study(open_database(url), "study")
    stored.study.pruner = HyperbandPruner(min_resource=1, max_resource=9)
    sampler, retry = partial(make_sampler, spec.sampling), DatabaseRetry(threading.Event())
    return Claims(url, stored.study, stored.identity, spec.trials, sampler, retry)


def test_two_workers_visit_every_combination_once_despite_failures(tmp_path: Path) -> None:
    spec = spec_of(SMALL, CHAINS, sampler="grid", trials=24, seed=1)
    check_sampler(spec.sampling)
    url = parse_url(f"sqlite:///{tmp_path}/studies.db")
    make_study(url, open_database(url), "study", spec={}, starts=[])
    workers = [_claims(url, spec), _claims(url, spec)]
    held: list[Claim] = []
    begun = 0
    while begun < 200:
        if begun == 20:
            workers[0] = _claims(url, spec)
        claim = workers[begun % 2].next(running_numbers=[claim.number for claim in held])
        if claim is not None:
            begun += 1
            held.append(claim)
        if claim is None and not held:
            break
        if claim is None or len(held) > 3:
            oldest = held.pop(0)
            oldest.sample(lambda trial: sample(trial, spec.space, spec.architectures))
            if oldest.number % 5 == 0 or oldest.number in (3, 24, 26):
                oldest.fail("drawn to fail")
            elif oldest.number % 2:
                oldest.prune()
            else:
                oldest.complete(0.1)
    trials = workers[1].study.get_trials()
    done = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(trials) > 30, "trials past the grid's end failed as well"
    assert len(done) == 24
    assert {frozenset(trial.params.items()) for trial in done} == _brute(spec)


def test_resumed_trial_beyond_the_grid_keeps_its_combination(tmp_path: Path) -> None:
    spec = spec_of(EIGHT, sampler="grid", trials=8)
    url = parse_url(f"sqlite:///{tmp_path}/studies.db")
    make_study(url, open_database(url), "study", spec={}, starts=[])
    claims = [_claims(url, spec).next() for _ in range(8)]
    drawn = [claim.sample(lambda trial: sample(trial, spec.space, spec.architectures)) for claim in claims]
    for number in (6, 2):
        claims[number].fail("drawn to fail")
    first, second = _claims(url, spec).next(), _claims(url, spec).next()
    first.release()
    claims[4].fail("drawn to fail")
    again = _claims(url, spec).next()
    assert again.number == first.number == 8
    settings = [claim.sample(lambda trial: sample(trial, spec.space, spec.architectures)) for claim in (again, second)]
    assert settings == [drawn[2], drawn[6]]


def test_ranges_and_budget_beyond_the_grid_are_rejected() -> None:
    with pytest.raises(
        UsageError, match=r"ranges: hidden \(8 to 16, log-uniform\): choose --space paper, a file with lists"
    ):
        check_sampler(spec_of(written("base = 'paper'\nhidden = { low = 8, high = 16 }"), sampler="grid").sampling)
    with pytest.raises(UsageError, match="--trials 17 is more than the 16 combinations of the grid"):
        check_sampler(spec_of(SMALL, sampler="grid", trials=17).sampling)
    check_sampler(spec_of(SMALL, sampler="grid", trials=16).sampling)
