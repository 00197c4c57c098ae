"""Scoring a submission as the benchmark does, by ``nlb_tools.evaluation.evaluate``."""

import logging
import warnings
from pathlib import Path

import h5py

from data.datasets import BIN_WIDTHS_MS, dataset_named, group_name
from data.files import PUBLIC_TARGETS
from data.opening import open_recording
from data.recording import Recording
from search.errors import SearchError
from search.submission import Phase, check_submission
from search.targets import Arrays, read_group, scorable, why_unreadable

Scores = dict[str, dict[str, float]]
"""By dataset, the benchmark's metrics by their names: co-bps, fp-bps, vel R2, psth R2, tp corr."""

_log = logging.getLogger(__name__)


def evaluate_submission(file: Path, dataset: str, data: Path, targets: Path | None) -> Scores:
    """The metrics of one dataset of a submission, in each bin width that it has.

    A file of the phase val is scored against the recording's own val split; one of the phase test against
    ``targets``, a file in the layout of the benchmark's ``eval_data_test.h5``, else against the truth that lies
    beside a synthetic recording, else against the ``eval_data_test.h5`` in ``data``. Raises SearchError when the file
    is not a whole submission or has no targets.
    """
    scores: Scores = {}
    for bin_ms in _bin_widths(file, dataset):
        recording = open_recording(dataset, data, bin_ms)
        phase = _phase(file, recording)
        check_submission(file, recording, phase)
        known = targets or (recording.val_targets if phase == "val" else _test_targets(data, recording))
        group = recording.group
        scores[group] = score(group, read_group(file, group), read_group(known, group))
    return scores


def score(group: str, submitted: Arrays, targets: Arrays) -> dict[str, float]:
    """Every metric that the targets allow, by nlb_tools, from the arrays of one group of submission and targets.

    Raises SearchError for targets that are not those of the submission's trials.
    """
    _check_targets(group, submitted, targets)
    from nlb_tools.evaluation import evaluate  # here, because scikit-learn takes a second to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        [result] = evaluate({group: scorable(targets)}, {group: submitted})
    [metrics] = result.values()
    # The three scaling datasets' metrics carry a trial count in front, "[100] co-bps"; the dataset says that already.
    return {name.split("] ")[-1]: float(value) for name, value in metrics.items()}


def _check_targets(group: str, submitted: Arrays, targets: Arrays) -> None:
    """Raises SearchError unless the targets are of the very trials that the submission predicts."""
    missing = [name for name in ("eval_spikes_heldout", "train_behavior", "eval_behavior") if name not in targets]
    if missing:
        raise SearchError(f"the targets of {group} lack {', '.join(missing)}: give a file like eval_data_test.h5")
    predicted, known = submitted["eval_rates_heldout"].shape, targets["eval_spikes_heldout"].shape
    if predicted != known:
        raise SearchError(
            f"the submission predicts held-out rates of the shape {predicted} for {group}, "
            f"and the targets have {known}: they are of another phase or recording"
        )


def _bin_widths(file: Path, dataset: str) -> list[int]:
    """The bin widths in which a submission holds the dataset."""
    dataset_named(dataset)
    groups = {group_name(dataset, bin_ms): bin_ms for bin_ms in BIN_WIDTHS_MS}
    try:
        with h5py.File(file, "r") as submission:
            found = [bin_ms for group, bin_ms in groups.items() if group in submission]
            held = ", ".join(submission) or "none"
    except OSError as error:
        raise SearchError(f"cannot read {file} as a submission: {why_unreadable(error)}") from error
    if not found:
        raise SearchError(f"{file} has no group '{dataset}' (it has {held}): give its dataset with --dataset")
    return found


def _phase(file: Path, recording: Recording) -> Phase:
    """The phase of a submission: as it says, or else as its number of evaluated trials shows."""
    with h5py.File(file, "r") as submission:
        group = submission[recording.group]
        said = group.attrs.get("phase")
        n_trials = group["eval_rates_heldout"].shape[0] if "eval_rates_heldout" in group else None
    if said in ("val", "test"):
        return "val" if said == "val" else "test"
    return "val" if recording.test is None or n_trials == recording.val.n_trials else "test"


def _test_targets(data: Path, recording: Recording) -> Path:
    """The targets of the phase test below ``data``; a synthetic recording's own go before the benchmark's."""
    truth = data / recording.name / f"{recording.name}_truth.h5"
    if truth.exists():
        _log.info("scoring against the truth of the synthetic recording, %s", truth)
        return truth
    public = data / PUBLIC_TARGETS
    if public.exists():
        _log.info("scoring against the benchmark's public test targets, %s", public)
        return public
    raise SearchError(
        "this is a submission of the phase test, and its targets are not in the recording: "
        "`nlb-search fetch --targets` gets the benchmark's, or give a file of them with --targets"
    )
