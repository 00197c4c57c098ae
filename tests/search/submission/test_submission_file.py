from pathlib import Path

import h5py
import numpy as np
import pytest

from nlb_search.data.opening import open_recording
from nlb_search.data.recording import Recording
from nlb_search.search.errors import SearchError
from nlb_search.search.submission.submission_file import Prediction, check_submission, write_submission


@pytest.fixture(scope="module")
def recording(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return open_recording("mc_rtt", recordings, cache=tmp_path_factory.mktemp("cache"))


def _rates(recording: Recording, n_trials: int) -> np.ndarray:
    """Constant rates, equal to the mean counts of held-in and of held-out neurons."""
    assert recording.train_val.heldout is not None
    means = [
        np.full(n, counts.mean())
        for n, counts in (
            (recording.n_heldin, recording.train_val.heldin),
            (recording.n_heldout, recording.train_val.heldout),
        )
    ]
    bins = recording.n_window_bins + recording.n_forward_bins
    return np.broadcast_to(np.concatenate(means).astype(np.float32), (n_trials, bins, sum(map(len, means)))).copy()


def _prediction(recording: Recording) -> Prediction:
    train, val = recording.train.n_trials, recording.val.n_trials
    return Prediction(recording, "val", _rates(recording, train), _rates(recording, val))


def _write(path: Path, prediction: Prediction) -> None:
    write_submission(path, [prediction], {prediction.recording.group: {}})


def test_arrays_are_split_like_the_benchmark(recording: Recording, tmp_path: Path) -> None:
    prediction = _prediction(recording)
    numbered = np.arange(prediction.eval_rates.shape[1] * prediction.eval_rates.shape[2], dtype=np.float32)
    scale = prediction.eval_rates.mean() / numbered.mean()
    prediction.eval_rates[:] = (numbered + 1).reshape(prediction.eval_rates.shape[1:]) * scale
    _write(tmp_path / "x.h5", prediction)
    n_in, n_window = recording.n_heldin, recording.n_window_bins
    with h5py.File(tmp_path / "x.h5") as file:
        group = file["mc_rtt"]
        rates = prediction.eval_rates
        np.testing.assert_array_equal(group["eval_rates_heldin"], rates[:, :n_window, :n_in])
        np.testing.assert_array_equal(group["eval_rates_heldout"], rates[:, :n_window, n_in:])
        np.testing.assert_array_equal(group["eval_rates_heldin_forward"], rates[:, n_window:, :n_in])
        np.testing.assert_array_equal(group["eval_rates_heldout_forward"], rates[:, n_window:, n_in:])


@pytest.mark.parametrize(
    ("factor", "unit"), [(200, "spikes per second"), (1 / 200, "divided by the bin width twice"), (4, "20 ms bins")]
)
def test_rates_in_wrong_unit_are_rejected(factor: float, unit: str, recording: Recording, tmp_path: Path) -> None:
    prediction = _prediction(recording)
    prediction.eval_rates[:] *= factor
    with pytest.raises(SearchError, match="rates must be in spikes per bin"):
        _write(tmp_path / "x.h5", prediction)
    assert list(tmp_path.iterdir()) == [], unit


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "1 rates that are not finite"), (np.inf, "not finite"), (0.0, "not positive"), (-0.1, "not positive")],
)
def test_invalid_rate_is_rejected_and_existing_file_kept(
    value: float, message: str, recording: Recording, tmp_path: Path
) -> None:
    (tmp_path / "x.h5").write_text("what was there before")
    prediction = _prediction(recording)
    prediction.train_rates[1, 2, 3] = value
    with pytest.raises(SearchError, match=message):
        _write(tmp_path / "x.h5", prediction)
    assert (tmp_path / "x.h5").read_text() == "what was there before"
    assert len(list(tmp_path.iterdir())) == 1


def test_submission_with_missing_array_is_rejected(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    _write(path, _prediction(recording))
    with h5py.File(path, "a") as file:
        del file["mc_rtt/eval_rates_heldin_forward"]
    with pytest.raises(SearchError, match="has no array 'eval_rates_heldin_forward'"):
        check_submission(path, recording, "val")


def test_submission_with_missing_trial_is_rejected(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    _write(path, _prediction(recording))
    with h5py.File(path, "a") as file:
        cut = file["mc_rtt/eval_rates_heldout"][:-1]
        del file["mc_rtt/eval_rates_heldout"]
        file["mc_rtt/eval_rates_heldout"] = cut
    with pytest.raises(SearchError, match=r"eval_rates_heldout has the shape \(\d+, 120, 3\), and the recording needs"):
        check_submission(path, recording, "val")
