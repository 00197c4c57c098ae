"""Your own recording, from ``launch`` to ``evaluate``."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from nlb_tools.evaluation import evaluate

from nlb_search.data import from_arrays
from nlb_search.data.opening import open_recording
from nlb_search.search.scoring.submission_metrics import benchmark_metrics
from nlb_search.search.scoring.targets import read_group
from tests.helpers.processes.command import call, search
from tests.helpers.recordings.own_nwb import OwnSession
from tests.helpers.recordings.phy_folder import write_phy_folder
from tests.helpers.recordings.toy_arrays import toy_arrays

SMALL = ("--arch", "rnnf", "--trials", "2", "--epochs", "6")


def lfads_file(path: Path) -> Path:
    """The toy recording in the format of lfads-torch, with all channels encoded and no forward bins."""
    toy = toy_arrays(80, 30)
    with h5py.File(path, "w") as file:
        for prefix, name in (("train", "train"), ("valid", "eval")):
            spikes = np.concatenate([toy[f"{name}_spikes_heldin"], toy[f"{name}_spikes_heldout"]], axis=2)
            file[f"{prefix}_encod_data"] = file[f"{prefix}_recon_data"] = spikes
    return path


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording with all arrays and one with spikes only, a study of each and its submission."""
    folder = tmp_path_factory.mktemp("own")
    from_arrays(folder / "all.h5", toy_arrays(80, 30))
    lfads_file(folder / "least.h5")
    (folder / "third.toml").write_text("heldout = 0.34\n")
    for name, options in (("all", ()), ("least", ("--bin-size", "10", "--recording", "third.toml"))):
        search(name, "--dataset", name, *SMALL, *options, data=f"{name}.h5", cwd=folder)
        exported = call("export-best", name, "--out", f"{name}-val.h5", "--data", f"{name}.h5", cwd=folder)
        assert exported.code == 0, exported.err
    return folder


def test_recording_with_all_arrays_has_every_metric(searched: Path) -> None:
    best = call("status", "all", "--json", cwd=searched).json["best"]
    scores = call("evaluate", "all-val.h5", "--dataset", "all", "--data", "all.h5", "--json", cwd=searched).json["all"]
    assert scores["co-bps"] == pytest.approx(best["value"], abs=1e-4)
    for metric, attribute in (("fp-bps", "fp_bps"), ("vel R2", "vel_r2"), ("psth R2", "psth_r2")):
        assert scores[metric] == pytest.approx(best["attrs"][attribute], abs=1e-4)
    assert set(scores) == {"co-bps", "fp-bps", "vel R2", "psth R2"}
    assert scores["co-bps"] > 0.1


def test_scores_match_nlb_tools(searched: Path) -> None:
    """nlb_tools scores the same arrays under the name of a dataset that it supports."""
    recording = open_recording("all", searched / "all.h5")
    submitted, targets = read_group(searched / "all-val.h5", "all"), read_group(recording.val_targets, "all")
    [[expected]] = [list(split.values()) for split in evaluate({"area2_bump": targets}, {"area2_bump": submitted})]
    assert benchmark_metrics(submitted, targets) == pytest.approx(expected, rel=1e-10)


def test_nlb_tools_scores_only_the_benchmark(searched: Path) -> None:
    command = ("evaluate", "all-val.h5", "--dataset", "all", "--data", "all.h5", "--by", "nlb_tools")
    rejected = call(*command, cwd=searched)
    assert rejected.code == 2
    assert "only datasets of the benchmark, not all" in rejected.err


def test_invalid_settings_in_submission_are_rejected(searched: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copy(searched / "all-val.h5", tmp_path))
    with h5py.File(copied, "a") as file:
        file["all"].attrs["recording"] = "{heldout"
    rejected = call("evaluate", copied, "--dataset", "all", "--data", "all.h5", cwd=searched)
    assert rejected.code == 1
    assert "the attribute 'recording' of /all in" in rejected.err


def test_submission_with_neurons_in_another_order_is_rejected(searched: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copy(searched / "least-val.h5", tmp_path))
    with h5py.File(copied, "a") as file:
        group = file["least_10"]
        for name, axis in (("heldout_units", 0), ("eval_rates_heldout", 2), ("train_rates_heldout", 2)):
            group[name][...] = np.flip(group[name][()], axis)
    rejected = call("evaluate", copied, "--dataset", "least", "--data", "least.h5", cwd=searched)
    assert rejected.code == 1
    assert "'heldout_units' in " in rejected.err
    assert "differs from that of the recording" in rejected.err


def test_recording_with_spikes_only_has_only_co_bps(searched: Path) -> None:
    status = call("status", "least", "--json", cwd=searched).json
    assert not {"fp_bps", "vel_r2", "psth_r2"} & set(status["best"]["attrs"])
    assert "fp-bps" not in call("status", "least", cwd=searched).out
    # The submission contains the bin width and the number of held-out neurons.
    evaluated = call("evaluate", "least-val.h5", "--dataset", "least", "--data", "least.h5", "--json", cwd=searched)
    assert evaluated.json == {"least_10": {"co-bps": pytest.approx(status["best"]["value"], abs=1e-4)}}
    with h5py.File(searched / "least-val.h5") as file:
        rates = {f"{p}_rates_{k}" for p in ("train", "eval") for k in ("heldin", "heldout")}
        assert set(file["least_10"]) == rates | {"heldin_units", "heldout_units"}
        assert file["least_10/eval_rates_heldout"].shape == (30, 24, 4)


def test_defaults_are_reported_for_every_new_study(searched: Path, caplog: pytest.LogCaptureFixture) -> None:
    for study in ("once", "again"):
        caplog.clear()
        options = ("--dataset", "least", *SMALL, "--workers", "0", "--data", "least.h5")
        made = call("launch", study, *options, cwd=searched)
        assert made.code == 0
        said = "least, defaults used: no forward bins; held out a random 3 of the 12 neurons"
        assert said in caplog.messages


def test_other_commands_need_only_study_and_file(searched: Path) -> None:
    from_arrays(searched / "more.h5", toy_arrays(80, 30))
    made = call("launch", "more", "--dataset", "more", *SMALL, "--workers", "0", "--data", "more.h5", cwd=searched)
    assert made.code == 0, made.err
    data = ("--data", "more.h5")
    assert call("worker", "more", *data, cwd=searched).code == 0
    rescored = call(
        "rescore", "more", "--finalists", "1", "--splits", "2", "--workers", "1", "--json", *data, cwd=searched
    )
    assert rescored.json["finalists"][0]["mean"] > 0
    assert call("resume", "more", "--workers", "1", *data, cwd=searched).code == 0


def test_nwb_file_with_test_trials_is_scored_on_test(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    session = OwnSession(n_trials=60)
    session.columns["part"] = [("train", "train", "val", "test")[row % 4] for row in range(60)]
    session.columns["side"] = ["left", "right", "right"] * 20
    session.write(tmp_path / "session.nwb")
    settings = 'split = "part"\nbehavior = "paw"\nlag_ms = 40\ncondition = "side"\n'
    (tmp_path / "session.toml").write_text(settings)
    data = ("--data", "session.nwb")
    options = ("--dataset", "rat-7", *SMALL, "--recording", "session.toml", "--bin-size", "20")
    search("study", *options, data="session.nwb", cwd=tmp_path)
    assert "rat-7, defaults used: the window is the 500 ms after start_time" in caplog.text
    for phase in ("val", "test"):
        out = f"{phase}.h5"
        exported = call("export-best", "study", "--phase", phase, "--workers", "1", "--out", out, *data, cwd=tmp_path)
        assert exported.code == 0, exported.err
        evaluated = call("evaluate", out, "--dataset", "rat-7", "--json", *data, cwd=tmp_path)
        assert evaluated.code == 0, evaluated.err
        scores = evaluated.json["rat-7_20"]
        assert set(scores) == {"co-bps", "fp-bps", "vel R2", "psth R2"}
        assert scores["co-bps"] > 0
        if phase == "val":
            best = call("status", "study", "--json", cwd=tmp_path).json["best"]["attrs"]
            assert scores["psth R2"] == pytest.approx(best["psth_r2"], abs=1e-4)
    inspect = ("inspect", "--dataset", "rat-7", "--recording", "session.toml", "--bin-size", "20", *data)
    found = call(*inspect, "--json", cwd=tmp_path).json["identities"]
    parts = {
        name: [row for row in range(60) if session.columns["part"][row] == name] for name in ("train", "val", "test")
    }
    assert found["trials"] == parts
    for phase, trained in (("val", parts["train"]), ("test", sorted(parts["train"] + parts["val"]))):
        with h5py.File(tmp_path / f"{phase}.h5") as file:
            numbers = {name: file[f"rat-7_20/{name}"][()].tolist() for name in ("heldin_units", "heldout_units")}
            assert numbers == {"heldin_units": found["heldin"], "heldout_units": found["heldout"]}
            assert file["rat-7_20/train_trials"][()].tolist() == trained
            assert file["rat-7_20/eval_trials"][()].tolist() == parts[phase]
    told = " ".join(call(*inspect, cwd=tmp_path).out.split())
    assert f"held-out units ids of the unit table: {found['heldout'][0]}" in told
    assert "val trials rows of the trial table: 2, 6, 10, 14" in told


def test_phy_folder_without_trials_from_inspect_to_evaluate(tmp_path: Path) -> None:
    write_phy_folder(tmp_path / "sorted", OwnSession(n_trials=60), {10 + unit: "good" for unit in range(11)})
    data = ("--dataset", "sleep", "--data", "sorted")
    cut = ("--cut-ms", "500", "--units", "group == 'good'", "--bin-size", "20", "--write-recording", "cut.toml")
    inspected = call("inspect", *data, *cut, cwd=tmp_path)
    assert inspected.code == 0, inspected.err
    assert "left out 1 of 12 units that do not match group == 'good' (ids 21)" in inspected.out
    searched = ("--recording", "cut.toml", "--bin-size", "20", *SMALL, "--dataset", "sleep")
    search("sleep", *searched, data="sorted", cwd=tmp_path)
    exported = call("export-best", "sleep", "--phase", "test", "--workers", "1", "--out", "sleep.h5", cwd=tmp_path)
    assert exported.code == 0, exported.err
    evaluated = call("evaluate", "sleep.h5", *data, "--json", cwd=tmp_path)
    assert set(evaluated.json["sleep_20"]) == {"co-bps", "fp-bps"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("launch", "least", "--recording", "half.toml", "--data", "least.h5"),
            "--recording with heldout 0.34, not 0.5",
        ),
        (
            ("launch", "least", "--recording", "window.toml", "--data", "least.h5"),
            "--recording with window_ms left out, not [0, 400]",
        ),
        (
            ("resume", "least", "--workers", "1", "--data", "nlb-data"),
            "nlb-data has no recording of least; the study 'least' last read it from ",
        ),
        (
            ("resume", "all", "--workers", "1", "--data", "least.h5"),
            "the study 'all' was created from all with content",
        ),
        (("export-best", "all", "--phase", "test", "--out", "x.h5", "--data", "all.h5"), "all has no test trials"),
        (("evaluate", "all-val.h5", "--dataset", "least", "--data", "all.h5"), "has no group 'least' (it has all)"),
        (
            ("evaluate", "all-val.h5", "--dataset", "all", "--data", "least.h5"),
            "all-val.h5 was made from all with content",
        ),
    ],
)
def test_inconsistent_study_recording_and_submission_are_rejected(
    arguments: tuple[str, ...], says: str, searched: Path
) -> None:
    (searched / "half.toml").write_text("heldout = 0.5\n")
    (searched / "window.toml").write_text("heldout = 0.34\nwindow_ms = [0, 400]\n")
    before = set(searched.glob("*.h5"))
    outcome = call(*arguments, cwd=searched)
    assert outcome.code == 1
    assert says in outcome.err
    assert set(searched.glob("*.h5")) == before
