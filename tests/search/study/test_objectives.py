"""A search with several objectives, from launch to export, and what rejects them."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from optuna_dashboard import get_note

import nlb_search as nlb
from nlb_search.models.training.stacked_trainings import StackedTrainings
from nlb_search.search.charts import matplotlib_drawing
from nlb_search.search.charts.chart import VERMILLION
from nlb_search.search.errors import SearchError
from nlb_search.search.figures.rescoring_table import finalists_table
from nlb_search.search.publishing.pareto_charts import pareto_charts
from nlb_search.search.rescoring.rescoring import Rescored, Rescoring, choose_finalists
from nlb_search.search.study.open_study import Locations, OpenStudy, open_named_study
from nlb_search.search.study.status import study_status
from nlb_search.search.trials.trial_scores import score_of
from nlb_search.search.workers.shutdown import Stop
from nlb_search.search.workers.worker import work
from nlb_search.storage.database.urls import parse_url
from tests.helpers.processes.command import Outcome, call, search
from tests.helpers.recordings.toy_arrays import toy_arrays

TRIALS = 14
CHAINS = ("FF -> exp", "GRU(1) -> FF -> exp")
NAMES = ("co-bps", "vel-r2", "n-parameters")
ON_TOY = ("--dataset", "toy", "--bin-size", "20", "--epochs", "1", "--arch", CHAINS[0])

ON_TOY_LONGER = (*ON_TOY[:4], "--epochs", "2", "--arch", CHAINS[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording and a finished search of it with three objectives, of more trials than tpe draws."""
    folder = tmp_path_factory.mktemp("objectives")
    nlb.from_arrays(folder / "toy.h5", toy_arrays(), bin_ms=20)
    options = ("--arch", CHAINS[1], "--trials", str(TRIALS), "--objective", "co-bps,vel R2,n_parameters")
    search("three", *ON_TOY, *options, data="toy.h5", cwd=folder)
    return folder


def _open(folder: Path, name: str) -> OpenStudy:
    url = parse_url(f"sqlite:///{folder}/nlb-search.db")
    return open_named_study(Locations(url, folder / "nlb-search.db.artifacts", folder / "toy.h5"), name)


@pytest.fixture(scope="module")
def study(folder: Path) -> OpenStudy:
    return _open(folder, "three")


def _launch(folder: Path, name: str, *options: str, on: tuple[str, ...] = ON_TOY) -> Outcome:
    return call("launch", name, *on, *options, "--workers", "0", "--data", "toy.h5", cwd=folder)


def _front_by_definition(trials: list[FrozenTrial]) -> set[int]:
    """The numbers of the trials that no other dominates: two values to maximize, one to minimize."""
    merits = {trial.number: (trial.values[0], trial.values[1], -trial.values[2]) for trial in trials}
    return {
        number
        for number, mine in merits.items()
        if not any(its != mine and all(a >= b for a, b in zip(its, mine, strict=True)) for its in merits.values())
    }


def test_values_are_the_scores_of_the_best_network_on_val(study: OpenStudy) -> None:
    assert study.study.directions == [StudyDirection.MAXIMIZE, StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    assert study.study.metric_names == list(NAMES)
    trials = study.study.get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * TRIALS, "nothing is pruned"
    for trial in trials:
        attributes = trial.user_attrs
        assert trial.values == [attributes["co_bps"], attributes["vel_r2"], attributes["n_parameters"]]
        assert attributes["co_bps"] == max(trial.intermediate_values.values()) == score_of(trial)


def test_status_shows_the_trials_that_no_other_dominates(folder: Path, study: OpenStudy) -> None:
    trials = study.study.get_trials()
    told = call("status", "three", "--json", cwd=folder).json
    assert told["objectives"] == list(NAMES)
    assert {one["number"] for one in told["front"]} == _front_by_definition(trials)
    for one in told["front"]:
        trial = trials[one["number"]]
        assert list(one["values"].values()) == trial.values
        assert one["architecture"] == trial.user_attrs["architecture"]
        assert one["n_parameters"] == trial.user_attrs["n_parameters"]
    assert told["best"]["value"] == max(map(score_of, trials)), "the best trial is that with the highest co-bps"
    shown = call("status", "three", cwd=folder).out
    rows = shown[shown.rindex("Pareto front") :].splitlines()[2:]
    assert [int(row.split()[0]) for row in rows if row.strip()] == [one["number"] for one in told["front"]]
    assert f"{len(told['front'])} on the Pareto front" in call("studies", cwd=folder).out


def test_export_takes_the_best_of_the_front_in_the_named_objective(folder: Path, study: OpenStudy) -> None:
    trials = study.study.get_trials()
    expected = {
        "val": max(trials, key=lambda trial: trial.values[0]),
        "co-bps": max(trials, key=lambda trial: trial.values[0]),
        "vel-r2": max(trials, key=lambda trial: trial.values[1]),
        "n-parameters": min(trials, key=lambda trial: (trial.values[2], -trial.values[0])),
    }
    for by, trial in expected.items():
        exported = call("export-best", "three", "--by", by, "--out", f"{by}.h5", "--data", "toy.h5", cwd=folder)
        assert exported.code == 0, exported.err
        with h5py.File(folder / f"{by}.h5") as file:
            [group] = file.values()
            assert group.attrs["trials"] == str(trial.number)
        assert trial.number in _front_by_definition(trials)
    scores = call("evaluate", "vel-r2.h5", "--dataset", "toy", "--json", "--data", "toy.h5", cwd=folder).json
    assert scores["toy_20"]["vel R2"] == pytest.approx(expected["vel-r2"].values[1], abs=1e-4)
    rejected = call("export-best", "three", "--by", "fp-bps", "--out", "x.h5", "--data", "toy.h5", cwd=folder)
    assert rejected.code == 2
    assert (
        "it is not an objective of the study 'three', which optimizes co-bps and vel-r2 and n-parameters"
        in rejected.err
    )


def test_figures_report_and_note_show_the_front(folder: Path, study: OpenStudy) -> None:
    front = study_status(study).front
    [chart] = pareto_charts(study)
    lines = [series for series in chart.panels[0][0].series if series.kind == "line"]
    assert len(lines) == TRIALS
    assert len([line for line in lines if line.color == VERMILLION]) == len(front)
    for line in lines:
        assert 0 <= min(line.x) <= max(line.x) <= 1
    assert call("report", "three", "--out", "report.html", "--data", "toy.h5", cwd=folder).code == 0
    page = (folder / "report.html").read_text()
    assert "<h2>Pareto front</h2>" in page
    assert "alt='three: Pareto front'" in page
    assert "--objective co-bps,vel-r2,n-parameters" in page
    note = get_note(study.study)
    assert f"trials {', '.join(str(one.number) for one in front)}: no trial is better in one objective" in note


def test_two_objectives_are_drawn_in_a_plane_and_copied_studies_keep_them(folder: Path) -> None:
    search("two", *ON_TOY, "--trials", "4", "--objective", "fp-bps,psth-r2", "--seeds", "2", data="toy.h5", cwd=folder)
    two = _open(folder, "two")
    trials = two.study.get_trials()
    for trial in trials:
        assert trial.values == [trial.user_attrs["fp_bps"], trial.user_attrs["psth_r2"]]
    front = study_status(two).front
    [chart] = pareto_charts(two)
    drawn = chart.panels[0][0].series[-1]
    assert sorted(zip(drawn.y, drawn.x, strict=True)) == sorted(tuple(one.values.values()) for one in front)
    assert matplotlib_drawing.draw(chart, "png").startswith(b"\x89PNG")
    assert call("copy", "two", "--to", "sqlite:///there.db", cwd=folder).code == 0
    there = call("status", "two", "--json", "--storage", "sqlite:///there.db", cwd=folder).json
    assert [one["number"] for one in there["front"]] == [one.number for one in front]
    ensemble = call("export-best", "two", "--ensemble", "auto", "--out", "e.h5", "--data", "toy.h5", cwd=folder)
    assert ensemble.code == 0, ensemble.err
    [finalist] = choose_finalists(two, 1, ())
    assert score_of(finalist) == max(map(score_of, trials))
    rescoring = Rescoring("two", 2, (Rescored(finalist, CHAINS[0], (0.1, 0.2)),))
    assert rescoring.as_json()["finalists"][0]["val"] == score_of(finalist)
    assert list(finalists_table(rescoring).columns[1].cells) == [f"{score_of(finalist):.4f}"]


def test_one_objective_may_be_another_score(folder: Path) -> None:
    search("velocity", *ON_TOY, "--trials", "3", "--objective", "vel-r2", data="toy.h5", cwd=folder)
    velocity = _open(folder, "velocity")
    trials = velocity.study.get_trials()
    best = max(trials, key=lambda trial: trial.user_attrs["vel_r2"])
    assert velocity.study.best_trial.number == best.number
    assert [one.number for one in study_status(velocity).front] == [best.number]
    both = call("export-best", "velocity", "three", "--out", "x.h5", "--data", "toy.h5", cwd=folder)
    assert both.code == 2
    assert "different first objectives, vel-r2 (the study 'velocity') and co-bps (the study 'three')" in both.err


def test_trials_are_taken_over_with_the_values_of_the_new_objectives(folder: Path, study: OpenStudy) -> None:
    copied = call("launch", "one", "--copy-of", "three", "--objective", "co-bps", "--workers", "0", cwd=folder)
    assert copied.code == 0, copied.err
    trials = _open(folder, "one").study.get_trials()
    assert [trial.value for trial in trials] == [trial.values[0] for trial in study.study.get_trials()]
    back = call("launch", "again", "--copy-of", "one", "--objective", "fp-bps,co-bps", "--workers", "0", cwd=folder)
    assert back.code == 0, back.err
    for trial in _open(folder, "again").study.get_trials():
        assert trial.values == [trial.user_attrs["fp_bps"], trial.user_attrs["co_bps"]]
    assert call("export-best", "again", "--out", "again.h5", "--data", "toy.h5", cwd=folder).code == 0


def test_rules_of_the_study_spare_the_front(folder: Path) -> None:
    options = ("--trials", "8", "--objective", "co-bps,n-parameters", "--keep", "1", "--sampler", "random")
    search("kept", *ON_TOY, "--arch", CHAINS[1], *options, data="toy.h5", cwd=folder)
    kept = _open(folder, "kept")
    for one in study_status(kept).front:
        assert kept.checkpoints.best(one.number).exists()
    exported = call("export-best", "kept", "--by", "n-parameters", "--out", "k.h5", "--data", "toy.h5", cwd=folder)
    assert exported.code == 0, exported.err


def test_diverged_trial_is_complete_with_its_best_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna's tpe fails on a pruned trial of a study with several objectives."""
    real = StackedTrainings.train_epoch

    def diverging(stacked: StackedTrainings, interrupted: Callable[[], bool]) -> torch.Tensor | None:
        if stacked.trainings[0].epoch == 1:
            stacked.rows.weights_KP.fill_(1e30)
        return real(stacked, interrupted)

    monkeypatch.setattr(StackedTrainings, "train_epoch", diverging)
    assert _launch(folder, "diverged", "--trials", "12", "--objective", "co-bps,fp-bps", on=ON_TOY_LONGER).code == 0
    diverged = _open(folder, "diverged")
    work(diverged, Stop())
    for trial in diverged.study.get_trials():
        assert trial.state == TrialState.COMPLETE
        assert "diverged" in trial.user_attrs
        assert trial.values[0] == max(trial.intermediate_values.values())


def test_existing_study_with_other_objectives_is_not_joined(folder: Path) -> None:
    assert _launch(folder, "three", "--objective", "co-bps,vel-r2,n-parameters", on=()).code == 0
    rejected = _launch(folder, "three", "--objective", "co-bps", on=())
    assert rejected.code == 1
    assert "was created with --objective 'co-bps' and 'vel-r2' and 'n-parameters', not 'co-bps'" in rejected.err


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("--objective", "co-bps,speed"), 2, "there is no objective 'speed': choose from co-bps, fp-bps, vel-r2"),
        (("--objective", "n-parameters,co-bps"), 2, "the first objective must be a score"),
        (("--objective", "co-bps,tp-corr"), 1, "tp-corr needs produced intervals, and toy has none"),
        (("--objective", "vel-r2", "--pruner", "median"), 2, "--pruner median compares trials by co-bps alone"),
        (("--objective", "co-bps,fp-bps", "--sampler", "cmaes"), 2, "--sampler cmaes optimizes one objective"),
        (
            ("--objective", "co-bps,fp-bps", "--until-flat", "0.1"),
            2,
            "--until-flat 0.1 ends a search by its gain of co-bps",
        ),
    ],
)
def test_what_is_not_possible_is_rejected_before_the_study_is_made(
    folder: Path, options: tuple[str, ...], code: int, reason: str
) -> None:
    rejected = _launch(folder, "rejected", "--trials", "4", *options)
    assert rejected.code == code
    assert reason in rejected.err
    assert call("status", "rejected", cwd=folder).code == 1


def test_timing_task_of_own_arrays_can_be_an_objective(tmp_path: Path) -> None:
    arrays = toy_arrays()
    n_trials, n_bins = arrays["eval_spikes_heldin"].shape[:2]
    inside = np.arange(n_bins) < np.arange(n_trials)[:, None] % 8 + 5
    intervals = np.stack([np.arange(n_trials) % 2, 10.0 * inside.sum(axis=1)], axis=1)
    arrays |= {"eval_interval_bins": inside, "eval_intervals": intervals}
    recording = nlb.from_arrays(tmp_path / "toy.h5", arrays, bin_ms=20)
    storage = f"sqlite:///{tmp_path}/studies.db"
    study = nlb.create_study(
        "toy", recording, [CHAINS[0]], 2, epochs=1, objectives=["co-bps", "tp-corr"], storage=storage
    )
    study.run(workers=1)
    assert all(-1 <= trial.values["tp-corr"] <= 1 for trial in study.status().front)


def test_recording_without_targets_is_named(tmp_path: Path) -> None:
    arrays = {name: each for name, each in toy_arrays().items() if "spikes" in name and "forward" not in name}
    recording = nlb.from_arrays(tmp_path / "toy.h5", arrays, bin_ms=20)
    for objective, missing in (
        ("fp-bps", "forward bins"),
        ("vel-r2", "velocity or other behaviour in every bin"),
        ("psth-r2", "trial averages of conditions"),
    ):
        with pytest.raises(SearchError, match=f"{objective} needs {missing}, and toy has none"):
            nlb.create_study(
                "toy",
                recording,
                [CHAINS[0]],
                4,
                objectives=["co-bps", objective],
                storage=f"sqlite:///{tmp_path}/studies.db",
            )
    assert not (tmp_path / "studies.db").exists()
