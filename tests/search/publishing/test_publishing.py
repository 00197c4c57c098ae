"""What a search leaves for optuna-dashboard: note, pictures and figures."""

import io
from pathlib import Path

import pytest
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import FrozenTrial
from optuna_dashboard import get_note
from optuna_dashboard._note import get_note_from_system_attrs, save_note_with_version

from nlb_search.search.charts import plotly_drawing
from nlb_search.search.publishing import trial_pictures
from nlb_search.search.publishing.publisher import Publisher
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.study.status import study_status
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.pictures import PictureStore
from tests.helpers.processes.command import call, search

TITLES = {
    "time": "best score over time",
    "chains": "chains, complete trials",
    "pruning": "when trials end",
    "workers": "workers over time",
}
OPTIONS = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "2", "--epochs", "2", "--pruner", "none")


def _opened(folder: Path, recordings: Path) -> OpenStudy:
    url = parse_url(f"sqlite:///{folder}/nlb-search.db")
    return open_named_study(Locations(url, folder / "nlb-search.db.artifacts", recordings), "study")


def _note_of(study: OpenStudy, trial: FrozenTrial) -> str:
    attributes = study.study._storage.get_study_system_attrs(study.study._study_id)
    return get_note_from_system_attrs(attributes, trial._trial_id)["body"]


def test_note_and_pictures_follow_the_study_and_its_copy(recordings: Path, tmp_path: Path) -> None:
    search("study", *OPTIONS, data=recordings, cwd=tmp_path)
    study = _opened(tmp_path, recordings)
    best = study.study.best_trial
    note = get_note(study.study)
    assert f"**co-bps {best.value:.4f}** on val (trial {best.number}" in note
    assert "2 trials: 2 complete, 0 pruned, 0 failed" in note
    assert "`FF -> exp`" in note
    assert "nlb-search resume study" in note
    of_best = _note_of(study, best)
    low, high = best.user_attrs["co_bps_low"], best.user_attrs["co_bps_high"]
    assert f"**{best.value:.4f}** (95% bootstrap interval over val trials: {low:.4f} to {high:.4f})" in of_best
    assert f"| vel R2 | {best.user_attrs['vel_r2']:.4f} |" in of_best
    assert f"export-best study --trial {best.number}" in of_best

    assert call("copy", "study", "--to", "sqlite:///there.db", cwd=tmp_path).code == 0
    for artifacts in (tmp_path / "nlb-search.db.artifacts", tmp_path / "there.db.artifacts"):
        for trial in study.study.trials:
            found = get_all_artifact_meta(trial, storage=study.study._storage)
            names = {meta.filename.removeprefix(f"trial-{trial.number:05d}-") for meta in found}
            assert names >= {"curve.svg", "rates.svg"}
            if trial.number in (0, best.number):  # trial 0 was the best when it completed
                assert names == {f"{name}.svg" for name in ("curve", "rates", "neurons", "velocity")}
            for meta in found:
                assert meta.mimetype == "image/svg+xml"
                assert PictureStore(artifacts).open_reader(meta.artifact_id).read().startswith(b"<svg")


def test_failing_drawing_and_note_do_not_fail_a_trial(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise ZeroDivisionError("broken on purpose")

    monkeypatch.setattr(trial_pictures, "draw", broken)
    monkeypatch.setattr("nlb_search.search.publishing.study_note.note_text", broken)
    monkeypatch.setattr("nlb_search.search.publishing.trial_notes.trial_note_text", broken)
    monkeypatch.setattr("nlb_search.search.publishing.study_figures.best_over_time", broken)
    search("study", *OPTIONS, data=recordings, cwd=tmp_path)
    study = _opened(tmp_path, recordings)
    Publisher(study).update(study_status(study), is_last=True)
    assert study_status(study).states["complete"] == 2


def test_worker_without_launcher_draws_the_figures_once_and_keeps_changed_notes(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search("study", *OPTIONS, data=recordings, cwd=tmp_path)
    study = _opened(tmp_path, recordings)
    storage, study_id, best = study.study._storage, study.study._study_id, study.study.best_trial
    save_note_with_version(storage, study_id, best._trial_id, 2, "looks good")
    attributes = storage.get_study_system_attrs(study_id)
    monkeypatch.setattr(plotly_drawing, "draw", lambda _chart: pytest.fail("the worker has drawn these trials"))
    Publisher(study).update(study_status(study), is_last=True)
    assert _note_of(study, best) == "looks good"
    for name in TITLES:
        parts = [key for key in attributes if key.startswith(f"dashboard:plot_data:{name}:")]
        drawn = "".join(attributes[f"dashboard:plot_data:{name}:{n}"] for n in range(len(parts)))
        assert f"study: {TITLES[name]}" in drawn


def test_uploads_of_the_dashboard_are_found_again(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    store.write("ab-1", io.BytesIO(b"notes"))
    assert store.open_reader("ab-1").read() == b"notes"
    store.remove("ab-1")
    with pytest.raises(Exception, match="no artifact ab-1"):
        store.open_reader("ab-1")
