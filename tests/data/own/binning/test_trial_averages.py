"""Trial averages of your own recording: the same as nlb_tools', over the conditions that trial columns name."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from nlb_tools.make_tensors import _make_psth, h5_to_dict

from nlb_search.data.errors import DataError
from nlb_search.data.own.binning.trial_averages import SMOOTHING_MS
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording
from tests.helpers.processes.in_process import open_in_process
from tests.helpers.recordings.nlb_reference import assert_targets_equal, loaded, quiet_nlb_tools
from tests.helpers.recordings.own_nwb import OwnSession

CONDITION = ("side", "target")


def session_with_conditions(seed: int = 0) -> OwnSession:
    """Trials of random conditions, in three splits; one has no target. Times are on nlb_tools' grid of bins."""
    session = OwnSession(seed=seed, n_trials=60)
    session.start = np.round(session.start, 2)
    rng = np.random.default_rng(seed)
    session.columns["side"] = rng.choice(["left", "right"], 60).tolist()
    session.columns["target"] = [np.nan, *rng.integers(0, 2, 59).astype(float).tolist()]
    session.columns["split"] = [("train", "train", "val", "test")[row % 4] for row in range(60)]
    session.units["heldout"] = [unit % 4 == 1 for unit in range(12)]
    return session


def opened(path: Path, **settings: Any) -> Recording:
    chosen = {"split": "split", "heldout": "heldout", "window_ms": (0, 500), "condition": CONDITION} | settings
    return open_in_process("mine", path, 10, path.parent / "cache", RecordingSettings(**chosen))


def targets(file: Path | None) -> dict[str, Any]:
    assert file is not None
    with h5py.File(file) as group:
        found: dict[str, Any] = h5_to_dict(group)["mine_10"]
        return {name: found[name] for name in ("psth", "eval_cond_idx")}


def test_averages_equal_those_of_nlb_tools(tmp_path: Path) -> None:
    """Of val over train and val, and of test over all; the recording has a gap, which smoothing does not cross."""
    session = session_with_conditions()
    gap = session.start[20] + 0.71, session.start[21] - 0.02
    session.obs_intervals = [np.array([[0, gap[0]], [gap[1], round(session.end, 2)]])] * 12
    path = session.write(tmp_path / "session.nwb")
    with h5py.File(path, "a") as file:  # nlb_tools reads other series in bins, which are not those of its spikes
        file.move("acquisition/paw", "acquisition/hand_vel")
    recording = opened(path)
    window = {"align_field": "start_time", "align_range": (0, 500)}
    with quiet_nlb_tools():
        nwb = loaded(path, "mc_rtt", 10)
        splits = {name: (nwb.trial_info.split == name).to_numpy() for name in ("train", "val", "test")}
        for scored, trained, file in (
            ("val", splits["train"], recording.val_targets),
            ("test", splits["train"] | splits["val"], recording.test_targets),
        ):
            ignored = ~(trained | splits[scored])
            (_, members), averages, _ = _make_psth(
                nwb, trained, splits[scored], ignored, window, list(CONDITION), SMOOTHING_MS
            )
            assert_targets_equal(targets(file), {"psth": averages, "eval_cond_idx": members})
            assert averages.shape == (4, 50, 12)
            assert 0 < sum(map(len, members)) <= splits[scored].sum()


def test_averages_are_over_the_trials_of_all_sessions(tmp_path: Path) -> None:
    """Those of one session, weighted by the trials of each condition. Only the second session has test trials."""
    settings = {"forward_ms": 0, "condition": "side"}
    sessions = [session_with_conditions(day) for day in (1, 2)]
    sessions[0].columns["split"] = [split.replace("test", "none") for split in sessions[0].columns["split"]]
    paths = [session.write(tmp_path / f"{day}.nwb") for day, session in enumerate(sessions, start=1)]
    recording = opened(paths[0], more_sessions=("2.nwb",), **settings)
    pooled = targets(recording.val_targets)
    each = [targets(opened(path, **settings).val_targets) for path in paths]
    known = [np.array(session.columns["side"])[np.arange(60) % 4 < 3] for session in sessions]
    for number, side in enumerate(("left", "right")):
        weights = [np.count_nonzero(sides == side) for sides in known]
        expected = np.average([one["psth"][number] for one in each], axis=0, weights=weights)
        np.testing.assert_allclose(pooled["psth"][number], expected)
        trials = [*each[0]["eval_cond_idx"][number], *(15 + each[1]["eval_cond_idx"][number])]
        assert pooled["eval_cond_idx"][number].tolist() == trials
        of_test = np.flatnonzero(np.array(sessions[1].columns["side"])[3::4] == side)
        assert targets(recording.test_targets)["eval_cond_idx"][number].tolist() == of_test.tolist()


def test_conditions_can_be_vectors_and_booleans(tmp_path: Path) -> None:
    session = session_with_conditions()
    sides = [side == "left" for side in session.columns["side"]]
    session.columns |= {"place": [[10.0 * side, -2.0] for side in sides], "rewarded": sides}
    path = session.write(tmp_path / "session.nwb")
    expected = targets(opened(path, condition="side").val_targets)
    for column, order in (("place", [1, 0]), ("rewarded", [1, 0])):
        found = targets(opened(path, condition=column).val_targets)
        np.testing.assert_array_equal(found["psth"][order], expected["psth"])


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("direction", "has no trial column 'direction': choose one of id, side, split, start_time"),
        ("stop_time", "the 45 trials with a condition have 45 different conditions, so there are no trial averages"),
    ],
)
def test_columns_that_are_no_conditions_are_rejected(condition: str, says: str, tmp_path: Path) -> None:
    path = session_with_conditions().write(tmp_path / "session.nwb")
    with pytest.raises(DataError) as raised:
        opened(path, condition=condition)
    assert says in str(raised.value)
