"""What a search leaves for optuna-dashboard: note, pictures and figures."""

import io
from pathlib import Path

import pytest
from command import call, search
from optuna.artifacts import get_all_artifact_meta
from optuna_dashboard import get_note

from nlb_search.search.launching.launcher import StudyFigures
from nlb_search.search.publishing import trial_pictures
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.study.status import study_status
from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.pictures import PictureStore

OPTIONS = ("--dataset", "mc_rtt", "--arch", "FF -> exp", "--trials", "2", "--epochs", "2", "--pruner", "none")


def _opened(folder: Path, recordings: Path) -> OpenStudy:
    url = parse_url(f"sqlite:///{folder}/nlb-search.db")
    return open_named_study(Locations(url, folder / "nlb-search.db.artifacts", recordings), "study")


def test_note_and_pictures_follow_the_study_and_its_copy(recordings: Path, tmp_path: Path) -> None:
    search("study", *OPTIONS, data=recordings, cwd=tmp_path)
    study = _opened(tmp_path, recordings)
    best = study.study.best_trial
    note = get_note(study.study)
    assert f"**co-bps {best.value:.4f}** on val (trial {best.number}" in note
    assert "2 trials: 2 complete, 0 pruned, 0 failed" in note
    assert "`FF -> exp`" in note
    assert "nlb-search resume study" in note

    assert call("copy", "study", "--to", "sqlite:///there.db", cwd=tmp_path).code == 0
    for artifacts in (tmp_path / "nlb-search.db.artifacts", tmp_path / "there.db.artifacts"):
        for trial in study.study.trials:
            found = get_all_artifact_meta(trial, storage=study.study._storage)
            number = f"trial-{trial.number:05d}"
            assert {meta.filename for meta in found} == {f"{number}-curve.svg", f"{number}-rates.svg"}
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
    monkeypatch.setattr("nlb_search.search.publishing.study_figures.best_over_time", broken)
    search("study", *OPTIONS, data=recordings, cwd=tmp_path)
    study = _opened(tmp_path, recordings)
    StudyFigures(study).update(study_status(study))
    assert study_status(study).states["complete"] == 2


def test_figures_are_written_once_for_every_finished_trial(recordings: Path, tmp_path: Path) -> None:
    search("study", *OPTIONS, data=recordings, cwd=tmp_path)
    study = _opened(tmp_path, recordings)
    StudyFigures(study).update(study_status(study))
    attributes = study.study._storage.get_study_system_attrs(study.study._study_id)
    for name in ("time", "chains"):
        parts = [key for key in attributes if key.startswith(f"dashboard:plot_data:{name}:")]
        assert "co-bps on val" in "".join(attributes[f"dashboard:plot_data:{name}:{n}"] for n in range(len(parts)))


def test_uploads_of_the_dashboard_are_found_again(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    store.write("ab-1", io.BytesIO(b"notes"))
    assert store.open_reader("ab-1").read() == b"notes"
    store.remove("ab-1")
    with pytest.raises(Exception, match="no artifact ab-1"):
        store.open_reader("ab-1")
