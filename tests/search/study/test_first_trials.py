"""The first trials of a study: the default settings, and the best ones of a similar study."""

from pathlib import Path

import pytest

from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.sampling.portfolio import PORTFOLIO
from nlb_search.search.sampling.spaces.space_file import parse_space
from nlb_search.search.study.open_study import Locations, OpenStudy
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.claims.trial_counts import FINISHED
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.errors import StorageError

FF, CONV = "FF -> exp", "Conv -> FF -> exp"


@pytest.fixture
def locations(recordings: Path, tmp_path: Path) -> Locations:
    return Locations(parse_url(f"sqlite:///{tmp_path}/studies.db"), tmp_path / "artifacts", recordings)


@pytest.fixture
def old(locations: Locations) -> OpenStudy:
    """A finished study of eight trials of two chains."""
    study = create_or_open(
        locations,
        "old",
        StudyRequest(dataset="mc_rtt", architectures=(FF, CONV), trials=8, epochs=1, sampler="random", pruner="none"),
    )
    work(study, Stop())
    return study


def _first(locations: Locations, **given: object) -> list[dict[str, object]]:
    """The parameters of the first trials of a study like ``old``."""
    request = StudyRequest(dataset="mc_rtt", trials=10, like="old", **given)
    study = create_or_open(locations, "new", request)
    return [trial.system_attrs["fixed_params"] for trial in study.study.get_trials()]


def test_the_best_settings_of_a_similar_study_follow_the_default_ones(locations: Locations, old: OpenStudy) -> None:
    trials = old.study.get_trials(states=FINISHED)
    best = sorted(trials, key=lambda trial: -(trial.value or 0))
    first = _first(locations, architectures=(FF, CONV))
    defaults = [trial.params for trial in old.study.get_trials()[:2]]
    assert [default["architecture"] for default in defaults] == [FF, CONV]
    assert all(one.items() <= default.items() for one, default in zip(first, defaults, strict=False))
    assert first[2:] == [trial.params for trial in best if trial.params not in first[:2]][:5]


def test_chains_that_are_not_searched_are_skipped_and_settings_outside_the_space_are_sampled(
    locations: Locations, old: OpenStudy
) -> None:
    space = parse_space("narrow.toml", "lr = { low = 1e-9, high = 2e-9 }")
    first = _first(locations, architectures=(FF,), space=space)
    best = sorted(old.study.get_trials(states=FINISHED), key=lambda trial: -(trial.value or 0))
    of_ff = [trial.params for trial in best if trial.params["architecture"] == FF]
    expected = [{n: v for n, v in params.items() if n not in ("architecture", "lr")} for params in of_ff]
    assert first[1:] == [params for params in expected if params != first[0]][:5]


def test_an_unknown_study_is_rejected_before_anything_is_written(locations: Locations) -> None:
    create_or_open(locations, "other", StudyRequest(dataset="mc_rtt", architectures=(FF,), trials=1))
    with pytest.raises(StorageError, match="there is no study 'old'"):
        _first(locations, architectures=(FF,))


def test_settings_that_are_good_on_many_recordings_follow_the_default_ones(locations: Locations) -> None:
    request = StudyRequest(dataset="mc_rtt", trials=10, architectures=("GRU(2) -> FF -> exp",))
    first = [t.system_attrs["fixed_params"] for t in create_or_open(locations, "new", request).study.get_trials()]
    assert len(first) == 1 + len(PORTFOLIO)
    for start, changes in zip(first[1:], PORTFOLIO, strict=True):
        assert {name for name, value in start.items() if first[0][name] != value} == changes.keys()
        assert changes.items() <= start.items()


def test_with_several_chains_each_is_tried_with_its_default_settings_before_others(locations: Locations) -> None:
    chains = ("GRU(2) -> FF -> exp", "minGRU(2) -> FF -> exp")
    request = StudyRequest(dataset="mc_rtt", trials=10, architectures=chains)
    first = [t.system_attrs["fixed_params"] for t in create_or_open(locations, "new", request).study.get_trials()]
    assert [start["architecture"] for start in first] == [*chains, *chains]
    assert first[2] == {**first[0], "lr": 0.002, "mask_variant": "dot line"}
