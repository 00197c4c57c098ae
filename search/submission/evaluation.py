"""Scoring a submission as the benchmark does, by ``nlb_tools.evaluation``."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from pydantic import ValidationError

from nlb_search.data.dataset_files import PUBLIC_TARGETS
from nlb_search.data.datasets import BIN_WIDTHS_MS, DATASETS, group_name
from nlb_search.data.opening import open_recording
from nlb_search.data.own.settings import RecordingSettings
from nlb_search.data.own.source import BIN_WIDTHS_MS as OWN_BIN_WIDTHS_MS
from nlb_search.data.recording import Recording
from nlb_search.search.errors import SearchError
from nlb_search.search.scoring.targets import Array, Arrays, read_group, scorable, why_unreadable
from nlb_search.search.submission.choices import Phase
from nlb_search.search.submission.submission_file import CONTENT, SETTINGS, check_submission

Scores = dict[str, dict[str, float]]
"""By dataset, the benchmark's metrics by their names: co-bps, fp-bps, vel R2, psth R2, tp corr."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Held:
    """A group of a submission: the width of its bins, and what it says of your own recording."""

    bin_ms: int
    settings: RecordingSettings | None
    content_hash: str | None


def evaluate_submission(file: Path, dataset: str, data: Path, targets: Path | None) -> Scores:
    """The metrics of one dataset of a submission, in each bin width that it has.

    A file of the phase val is scored against the recording's own val split; one of the phase test against
    ``targets``, a file in the layout of the benchmark's ``eval_data_test.h5``, or else against the test targets that a
    recording of your own holds, the truth that lies beside a synthetic one, or the ``eval_data_test.h5`` in ``data``.
    Raises SearchError when the file is not a whole submission or has no targets.
    """
    scores: Scores = {}
    for held in _groups(file, dataset):
        recording = open_recording(dataset, data, held.bin_ms, settings=held.settings)
        phase = _phase(file, recording)
        if held.content_hash not in (None, recording.content_hash):
            raise SearchError(
                f"{file} predicts {dataset} with content {str(held.content_hash)[:12]}, and {data} holds "
                f"{recording.content_hash[:12]}: give the same file with --data"
            )
        check_submission(file, recording, phase)
        known = targets or _known_targets(phase, data, recording)
        group = recording.group
        metrics = score if dataset in DATASETS else score_own
        scores[group] = metrics(group, read_group(file, group), read_group(known, group))
    return scores


def score(group: str, submitted: Arrays, targets: Arrays) -> dict[str, float]:
    """Every metric that the targets allow, by nlb_tools, from the arrays of one group of submission and targets.

    Raises SearchError for targets that are not those of the submission's trials.
    """
    _check_targets(group, submitted, targets, ("eval_spikes_heldout", "train_behavior", "eval_behavior"))
    with _slow_and_silent():
        from nlb_tools.evaluation import evaluate

        [result] = evaluate({group: scorable(targets)}, {group: submitted})
    [metrics] = result.values()
    # The three scaling datasets' metrics carry a trial count in front, "[100] co-bps"; the dataset says that already.
    return {name.split("] ")[-1]: float(value) for name, value in metrics.items()}


def score_own(group: str, submitted: Arrays, targets: Arrays) -> dict[str, float]:
    """As ``score``, for a recording that ``nlb_tools.evaluation.evaluate`` does not know: by the functions it calls.

    Behaviour, trial averages and forward bins are scored where the targets have them.
    """
    _check_targets(group, submitted, targets, ("eval_spikes_heldout",))
    targets = scorable(targets)

    def rates(name: str) -> Array:
        parts = [submitted[name.format(kind)] for kind in ("heldin", "heldout")]
        return np.concatenate(parts, axis=-1).astype(float)

    with _slow_and_silent():
        from nlb_tools.evaluation import bits_per_spike, eval_psth, velocity_decoding

        val = rates("eval_rates_{}")
        heldout = submitted["eval_rates_heldout"].astype(float)
        metrics = {"co-bps": bits_per_spike(heldout, targets["eval_spikes_heldout"].astype(float))}
        if "eval_behavior" in targets:
            train = rates("train_rates_{}")
            train_mask, eval_mask = (
                targets.get(f"{prefix}_decode_mask", np.ones((len(array), 1), bool))
                for prefix, array in (("train", train), ("eval", val))
            )
            behavior = targets["train_behavior"], targets["eval_behavior"]
            metrics["vel R2"] = velocity_decoding(train, behavior[0], train_mask, val, behavior[1], eval_mask)
        if "psth" in targets:
            jitter = targets.get("eval_jitter")
            metrics["psth R2"] = eval_psth(targets["psth"], val, targets["eval_cond_idx"], jitter)
        if "eval_spikes_heldin_forward" in targets:
            spikes = [targets[f"eval_spikes_{kind}_forward"] for kind in ("heldin", "heldout")]
            forward = np.concatenate(spikes, axis=-1).astype(float)
            metrics["fp-bps"] = bits_per_spike(rates("eval_rates_{}_forward"), forward)
    return {name: float(value) for name, value in metrics.items()}


@contextmanager
def _slow_and_silent() -> Iterator[None]:
    """Where nlb_tools is imported, which takes a second for scikit-learn, and its warnings are not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_targets(group: str, submitted: Arrays, targets: Arrays, needed: tuple[str, ...]) -> None:
    """Raises SearchError unless the targets are of the very trials that the submission predicts."""
    missing = [name for name in needed if name not in targets]
    if missing:
        raise SearchError(f"the targets of {group} lack {', '.join(missing)}: give a file like eval_data_test.h5")
    predicted, known = submitted["eval_rates_heldout"].shape, targets["eval_spikes_heldout"].shape
    if predicted != known:
        raise SearchError(
            f"the submission predicts held-out rates of the shape {predicted} for {group}, "
            f"and the targets have {known}: they are of another phase or recording"
        )


def _groups(file: Path, dataset: str) -> list[_Held]:
    """The groups in which a submission holds the dataset, one a bin width."""
    widths = BIN_WIDTHS_MS if dataset in DATASETS else OWN_BIN_WIDTHS_MS
    found = []
    try:
        with h5py.File(file, "r") as submission:
            for bin_ms in widths:
                group = submission.get(group_name(dataset, bin_ms))
                # A name may end as if it said a bin width.
                if group is not None and group.attrs.get("dataset", dataset) == dataset:
                    found.append(_Held(bin_ms, _settings(file, group), group.attrs.get(CONTENT)))
            held = ", ".join(submission) or "none"
    except OSError as error:
        raise SearchError(f"cannot read {file} as a submission: {why_unreadable(error)}") from error
    if not found:
        raise SearchError(f"{file} has no group '{dataset}' (it has {held}): give its dataset with --dataset")
    return found


def _settings(file: Path, group: h5py.Group) -> RecordingSettings | None:
    written = group.attrs.get(SETTINGS)
    try:
        return None if written is None else RecordingSettings.model_validate_json(written)
    except ValidationError as error:
        raise SearchError(
            f"the attribute '{SETTINGS}' of {group.name} in {file} holds no settings of a recording: "
            "copy it from a submission that export-best wrote"
        ) from error


def _phase(file: Path, recording: Recording) -> Phase:
    """The phase of a submission: as it says, or else as its number of evaluated trials shows."""
    with h5py.File(file, "r") as submission:
        group = submission[recording.group]
        said = group.attrs.get("phase")
        n_trials = group["eval_rates_heldout"].shape[0] if "eval_rates_heldout" in group else None
    if said in ("val", "test"):
        return "val" if said == "val" else "test"
    return "val" if recording.test is None or n_trials == recording.val.n_trials else "test"


def _known_targets(phase: Phase, data: Path, recording: Recording) -> Path:
    """The recording's own targets of a phase, or those below ``data``; a synthetic one's go before the benchmark's."""
    own = recording.val_targets if phase == "val" else recording.test_targets
    if own is not None:
        return own
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
