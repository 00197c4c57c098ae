"""Settings of your own recording as options of `inspect` and `launch`, and the file that `inspect` writes."""

from pathlib import Path

import numpy as np
import pytest

from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings, read_settings
from tests.helpers.processes.command import call
from tests.helpers.recordings.own_nwb import OwnSession

OPTIONS = ("--dataset", "mine", "--data", "session.nwb", "--bin-size", "20")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a session, with a column of events and one of units, and a file of settings."""
    folder = tmp_path_factory.mktemp("own")
    session = OwnSession()
    session.columns["go"] = list(session.start + 0.1)
    session.columns["response"] = (session.start + 0.2 + 0.005 * np.arange(40)).tolist()
    session.columns |= {"cue": ["short", "long"] * 20, "side": ["left", "left", "right", "right"] * 10}
    session.units["quality"] = ["mua" if unit == 3 else "good" for unit in range(12)]
    session.write(folder / "session.nwb")
    (folder / "session.toml").write_text('align = "go"\nwindow_ms = [0, 300]\nheldout = [1, 2]\n')
    return folder


def test_options_override_the_file(folder: Path) -> None:
    given = ("--recording", "session.toml", "--window", "-100", "200", "--heldout", "5, 7,9", "--forward-ms", "0")
    found = call("inspect", *OPTIONS, *given, "--units", "quality == 'good'", "--json", cwd=folder).json
    assert (found["n_window_bins"], found["n_forward_bins"]) == (15, 0)
    assert found["identities"]["heldout"] == [5, 7, 9]
    assert 3 not in found["identities"]["heldin"]
    settings = RecordingSettings(
        align="go", window_ms=(-100, 200), heldout=(5, 7, 9), forward_ms=0, units="quality == 'good'"
    )
    assert found["content_hash"] == open_recording("mine", folder / "session.nwb", 20, settings=settings).content_hash


def test_launch_reads_the_recording_by_its_options(folder: Path) -> None:
    given = (*OPTIONS, "--align", "go", "--window", "-100", "200", "--arch", "rnnf", "--trials", "1", "--workers", "0")
    assert call("launch", "study", *given, cwd=folder).code == 0
    again = call("launch", "study", *given, cwd=folder)
    assert again.code == 0, again.err
    changed = call("launch", "study", *given, "--lag-ms", "40", cwd=folder)
    assert changed.code == 1
    assert "lag_ms 0, not 40" in changed.err


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("--recording", "session.toml", "--behavior", "paw", "--lag-ms", "-40"),
        ("--align", "go", "--window", "-50", "235", "--units", "quality == 'good'", "--heldout", "0.4"),
        ("--interval", "go", "response", "--interval-condition", "cue, side", "--condition", "side"),
        ("--cut-ms", "500", "--gap-ms", "20", "--forward-ms", "100", "--val-share", "0.25"),
    ],
)
def test_written_settings_give_the_same_recording(given: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "written.toml"
    inspected = call("inspect", *OPTIONS, *given, "--write-recording", file, cwd=folder)
    assert inspected.code == 0, inspected.err
    assert f"wrote {file}" in inspected.out
    before = call("inspect", *OPTIONS, *given, "--json", cwd=folder).json
    after = call("inspect", *OPTIONS, "--recording", file, "--json", cwd=folder).json
    assert before["identities"] == after["identities"]
    data, settings = folder / "session.nwb", read_settings(file)
    recording = open_recording("mine", data, 20, settings=settings)
    assert recording.content_hash == after["content_hash"]
    for name in ("n_window_bins", "n_forward_bins", "behavior", "produced"):
        assert before[name] == after[name]
    assert (before["produced"] is not None) == ("--interval" in given)
    assert before["splits"] == after["splits"]
    # Every setting is in the file, as a value or as a comment, and every value that was found is written.
    names = {line.removeprefix("# ").partition(" = ")[0] for line in file.read_text().splitlines()[2:]}
    windows = {"cut_ms", "gap_ms", "within", "within_rows"}
    trials = {"trial_table", "align", "window_ms", "split", "condition", "interval", "interval_condition"}
    assert names == set(RecordingSettings.model_fields) - (trials if "--cut-ms" in given else windows)
    np.testing.assert_array_equal(sorted(settings.heldout), sorted(before["identities"]["heldout"]))


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (
            ("--heldout", "1.5"),
            1,
            "--heldout: 'heldout' cannot be 1.5 (a fraction of the neurons must be between 0 and 1)",
        ),
        (("--window", "300", "-100"), 1, "--window: 'window_ms' cannot be (300, -100) (a window must end after"),
        (("--recording", "session.toml", "--cut-ms", "500"), 1, "session.toml, --cut-ms: "),
        (("--units", "quality"), 1, "column 'quality' is not boolean: compare it with a value"),
        (("--write-recording", "session.toml"), 2, "session.toml exists and is not overwritten: name another file"),
        (("--write-recording", "none/new.toml"), 2, "the folder of none/new.toml does not exist"),
    ],
)
def test_options_that_do_not_fit_are_rejected(given: tuple[str, ...], code: int, says: str, folder: Path) -> None:
    rejected = call("inspect", *OPTIONS, *given, cwd=folder)
    assert rejected.code == code
    assert says in rejected.err
    assert len(rejected.err.strip().splitlines()) <= 3


def test_further_sessions_are_given_by_repeating_data(folder: Path, tmp_path: Path) -> None:
    """In any folder; the study stores them relative to the first file, as settings do."""
    (tmp_path / "other").mkdir()
    for seed, name in enumerate(("monday.nwb", "other/tuesday.nwb")):
        OwnSession(seed=seed).write(tmp_path / name)
    (tmp_path / "week.toml").write_text('more_sessions = ["other/tuesday.nwb"]\n')
    options = ("--dataset", "week", "--bin-size", "20", "--window", "0", "400")
    both = ("--data", "monday.nwb", "--data", "other/tuesday.nwb")
    found = call("inspect", *options, *both, "--json", cwd=tmp_path).json
    assert found["identities"]["sessions"] == {"monday.nwb": 40, "other/tuesday.nwb": 40}
    named = ("--data", "monday.nwb", "--recording", "week.toml")
    assert call("inspect", *options, *named, "--json", cwd=tmp_path).json["content_hash"] == found["content_hash"]
    launched = call(
        "launch", "week", *options, *both, "--arch", "rnnf", "--trials", "1", "--workers", "0", cwd=tmp_path
    )
    assert launched.code == 0, launched.err
    again = call("launch", "week", *options, *named, "--workers", "0", cwd=tmp_path)
    assert again.code == 0, again.err
    alone = call("launch", "week", *options, "--data", "monday.nwb", "--workers", "0", cwd=tmp_path)
    assert "with more_sessions ['other/tuesday.nwb'], not []" in alone.err
    assert call("inspect", "--dataset", "mc_rtt", *both, cwd=folder).code == 1


def test_place_in_the_environment_is_one_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "day 1: noon").mkdir()
    path = OwnSession().write(tmp_path / "day 1: noon" / "session.nwb")
    monkeypatch.setenv("NLB_SEARCH_DATA", str(path))
    found = call("inspect", "--dataset", "mine", "--bin-size", "20", "--json", cwd=tmp_path)
    assert found.code == 0, found.err
    assert found.json["identities"]["sessions"] == {}


def test_settings_of_the_benchmark_are_not_written(folder: Path) -> None:
    rejected = call("inspect", "--dataset", "mc_rtt", "--write-recording", "new.toml", cwd=folder)
    assert rejected.code == 2
    assert "--write-recording is for your own recording: mc_rtt has" in rejected.err
    assert not (folder / "new.toml").exists()
