"""An interrupted study and its copy continue identically."""

from pathlib import Path
from typing import Any

import pytest

import nlb_search.search.workers.trial
from nlb_search.search.creation.study_creation import StudyRequest, create_or_open
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.claims.claim import Claim
from nlb_search.storage.claims.owner import OWNER_KEY, Owner
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import call


def _results(study: OpenStudy) -> list[tuple[Any, ...]]:
    return [(trial.state, trial.params, trial.intermediate_values, trial.value) for trial in study.study.trials]


def test_interrupted_study_continues_identically_in_its_copy(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nlb_search.search.workers.trial, "CHECKPOINT_SECONDS", 0)
    here = Locations(parse_url(f"sqlite:///{tmp_path}/here.db"), tmp_path / "here.db.artifacts", recordings)
    request = StudyRequest(
        dataset="mc_rtt",
        architectures=("FF -> exp",),
        trials=9,
        epochs=9,
        sampler="cmaes",
        pruner="hyperband",
    )
    study = create_or_open(here, "study", request)
    report = Claim.report

    def cut_in_trial_6(claim: Claim, value: float, epoch: int) -> bool:
        if (claim.number, epoch) == (6, 1):
            raise KeyboardInterrupt
        return report(claim, value, epoch)

    with monkeypatch.context() as cutting:
        cutting.setattr(Claim, "report", cut_in_trial_6)
        with pytest.raises(KeyboardInterrupt):
            work(study, Stop())
    rejected = call("copy", "study", "--storage", here.url.with_password, "--to", "sqlite:///there.db", cwd=tmp_path)
    assert rejected.code == 1
    assert "trial 6 of the study 'study' is held by " in rejected.err
    cut = study.study.trials[6]
    gone = Owner.new().as_attribute() | {"started": 0.0}
    study.study._storage.set_trial_user_attr(cut._trial_id, OWNER_KEY, gone)
    copied = call("copy", "study", "--storage", here.url.with_password, "--to", "sqlite:///there.db", cwd=tmp_path)
    assert copied.code == 0, copied.err
    assert "delete the other" in copied.out

    there = Locations(parse_url(f"sqlite:///{tmp_path}/there.db"), tmp_path / "there.db.artifacts", recordings)
    copy = open_named_study(there, "study")
    assert copy.checkpoints.running(6).exists()
    submissions = []
    for each in copy, study:
        work(each, Stop())
        out = tmp_path / f"{each.locations.url.sqlite_file.stem}.h5"
        exported = call(
            *("export-best", "study", "--out", out, "--storage", each.locations.url.with_password),
            *("--data", recordings),
            cwd=tmp_path,
        )
        assert exported.code == 0, exported.err
        submissions.append(out.read_bytes())
    assert _results(copy) == _results(study)
    assert len(_results(copy)) == 9
    assert submissions[0] == submissions[1]
