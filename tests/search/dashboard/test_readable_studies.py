"""What the dashboard shows of the user attributes of a study and of its trials, over HTTP."""

import json
from pathlib import Path
from typing import Any

import optuna
import pytest

from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import StorageUrl, parse_url
from nlb_search.storage.studies import SPEC_KEY, make_study, open_study
from tests.helpers.servers.serving import ask, serving
from tests.helpers.specifications import spec_of

OLD_SPECIFICATION = Path(__file__).parents[1] / "study" / "specification_0_4_0.json"


@pytest.fixture
def url(tmp_path: Path) -> StorageUrl:
    """A storage with a study, whose id is 1, that has attributes of all kinds."""
    url = parse_url(f"sqlite:///{tmp_path}/studies.db")
    spec = spec_of(architectures=("GRU(2) -> FF -> exp", "FF -> exp"), pruner="none", trials=20)
    make_study(url, open_database(url), "lab", spec.model_dump(mode="json"), starts=[])
    study = open_study(open_database(url), "lab").study
    for name, value in {
        "budget": 30,
        "order": "pause",
        "recording-on-gpu1": "/data/maze",
        "rescoring": {"splits": 2, "trials": [1]},
        "rescoring-2-1-0": {"co_bps": 0.1},
        "special": {"rig": 3},
    }.items():
        study.set_user_attr(name, value)
    return url


@pytest.fixture
def stored(url: StorageUrl) -> dict[str, Any]:
    """The user attributes of the only trial of the study."""
    attributes = {
        "architecture": "GRU(2) -> FF -> exp",
        "n_parameters": 154_948,
        "device": "cpu",
        "memory_mb": 312,
        "version": "0.8.0",
        "best_epoch": 24,
        "fp_bps": 0.007717220137646227,
        "co_bps_low": 0.1547268153227951,
        "co_bps_high": 0.33914971650836934,
        "seconds": 21.107,
        "takeovers": {"count": 2, "step": 6, "last": "dc80"},
        "worker": {"host": "gpu1", "machine": "gpu1 8fdf", "pid": 14035, "started": 6064280.0, "worker": "dc80"},
        "rig": {"side": "left"},
    }
    open_study(open_database(url), "lab").study.add_trial(
        optuna.create_trial(value=0.25, params={}, distributions={}, user_attrs=attributes)
    )
    return attributes


def _details(port: int, study_id: int = 1) -> dict[str, Any]:
    details: dict[str, Any] = json.loads(ask(port, "GET", f"/api/studies/{study_id}")[1])
    return details


def _of_trial(port: int, study_id: int = 1) -> dict[str, str]:
    return {each["key"]: each["value"] for each in _details(port, study_id)["trials"][0]["user_attrs"]}


def _attributes(port: int, study_id: int = 1) -> dict[str, Any]:
    return {each["key"]: each["value"] for each in _details(port, study_id)["user_attrs"]}


def test_attributes_are_shown_in_words_and_those_of_the_user_last(url: StorageUrl) -> None:
    with serving(url, writable=False) as port:
        shown = _attributes(port)
        listed = json.loads(ask(port, "GET", "/api/studies")[1])["study_summaries"]
    assert shown["dataset"] == "mc_rtt, 5 ms bins"
    assert shown["chains"] == "GRU(2) -> FF -> exp; FF -> exp"
    assert shown["search"] == "wide space, tpe sampler, no pruner, seed 0"
    assert shown["budget"] == "30 trials"
    assert shown["asked to"] == "pause"
    assert shown["range of num_layers"] == "1, 2, 3"
    assert shown["recording on gpu1"] == "/data/maze"
    assert list(shown)[-1] == "special"
    assert json.loads(shown["special"]) == {"rig": 3}
    assert [value for name, value in shown.items() if name != "special" and "{" in value] == []
    assert {each["key"] for each in listed[0]["user_attrs"]} == set(shown)


@pytest.mark.usefixtures("stored")
def test_attributes_of_trials_are_shown_in_words(url: StorageUrl) -> None:
    with serving(url, writable=False) as port:
        shown = _of_trial(port)
        columns = {each["key"]: each["sortable"] for each in _details(port)["union_user_attrs"]}
    assert shown == {
        "chain": "GRU(2) -> FF -> exp",
        "co-bps on val, 95% interval from": "0.1547",
        "co-bps on val, 95% interval to": "0.3391",
        "fp-bps": "0.0077",
        "best epoch": "24",
        "parameters": "154948",
        "training time (s)": "21.107",
        "device": "cpu",
        "memory at the start (GB)": "0.3",
        "worker (host:process)": "gpu1:14035",
        "workers that died": "2 at epoch 6",
        "nlb-search version": "0.8.0",
        "rig": '{"side": "left"}',
    }
    assert next(iter(shown)) == "chain"
    assert list(shown)[-1] == "rig"
    assert columns["training time (s)"], "numbers can be sorted and drawn"


def test_trials_that_the_dashboard_renames_keep_their_attributes(url: StorageUrl, stored: dict[str, Any]) -> None:
    with serving(url, writable=True) as port:
        assert _of_trial(port)["best epoch"] == "24"
        assert ask(port, "POST", "/api/studies/1/rename", json.dumps({"study_name": "new"}))[0] == 201
    assert open_study(open_database(url), "new").study.trials[0].user_attrs == stored


def test_study_that_the_dashboard_renames_keeps_its_specification(url: StorageUrl) -> None:
    before = open_study(open_database(url), "lab")
    attributes = before.study.user_attrs
    with serving(url, writable=True) as port:
        assert ask(port, "POST", "/api/studies/1/rename", json.dumps({"study_name": "new"}))[0] == 201
    renamed = open_study(open_database(url), "new")
    assert (renamed.spec, renamed.identity) == (before.spec, before.identity)
    assert renamed.study.user_attrs == attributes


def test_studies_of_earlier_versions_and_of_other_programs_are_shown(url: StorageUrl) -> None:
    database = open_database(url)
    optuna.create_study(study_name="old", storage=database).set_user_attr(SPEC_KEY, OLD_SPECIFICATION.read_text())
    unreadable = {SPEC_KEY: '{"a": 1}', "owner": "another lab"}
    for name, value in unreadable.items():
        optuna.create_study(study_name="foreign", storage=database, load_if_exists=True).set_user_attr(name, value)
    of_trial = {"device": "left", "seconds": "30"}
    other = optuna.create_study(study_name="other", storage=database)
    other.add_trial(optuna.create_trial(value=0.1, user_attrs=of_trial))
    with serving(url, writable=False) as port:
        assert _attributes(port, 2)["dataset"] == "mc_rtt, 5 ms bins"
        assert _attributes(port, 3) == unreadable
        assert _of_trial(port, 4) == of_trial
