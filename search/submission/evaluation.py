"""Scores submissions with the metrics of the benchmark."""

import logging
from dataclasses import dataclass
from pathlib import Path

import h5py
from pydantic import ValidationError

from nlb_search.data.dataset_files import PUBLIC_TARGETS
from nlb_search.data.datasets import BIN_WIDTHS_MS, DATASETS, group_name
from nlb_search.data.inspection.identities import identities_of
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.source import BIN_WIDTHS_MS as OWN_BIN_WIDTHS_MS
from nlb_search.data.recording import Recording
from nlb_search.search.errors import SearchError
from nlb_search.search.export_options import Phase, Scorer
from nlb_search.search.scoring.nlb_tools_metrics import nlb_tools_metrics
from nlb_search.search.scoring.submission_metrics import benchmark_metrics
from nlb_search.search.scoring.targets import Arrays, read_group, why_unreadable
from nlb_search.search.submission.submission_file import CONTENT, SETTINGS, check_submission
from nlb_search.search.submission.unit_and_trial_ids import check_ids, ids_of

Scores = dict[str, dict[str, float]]
"""The benchmark's metrics (co-bps, fp-bps, vel R2, psth R2, tp corr) by name, for each group of the submission."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Group:
    """A group of a submission: its bin width, and the settings and content hash of a recording of your own."""

    bin_ms: int
    settings: RecordingSettings | None
    content_hash: str | None


@dataclass(frozen=True, eq=False)
class Submitted:
    """A group of a submission: its arrays (``rates``), the recording, and the arrays to score it against."""

    recording: Recording
    phase: Phase
    rates: Arrays
    targets: Arrays

    @property
    def group(self) -> str:
        return self.recording.group


def evaluate_submission(file: Path, dataset: str, data: Path, targets: Path | None) -> Scores:
    """Score one dataset of a submission, in each bin width that the submission contains.

    Raises the errors of ``read_submission``, and SearchError if the targets do not match the submission.
    """
    return {one.group: scores_of(one) for one in read_submission(file, dataset, data, targets)}


def scores_of(submitted: Submitted, by: Scorer = "nlb-search") -> dict[str, float]:
    """Every metric of the benchmark that the targets allow, computed here or by nlb_tools.

    Raises SearchError if the targets do not match the submission, and the errors of ``nlb_tools_metrics``.
    """
    dataset, group = submitted.recording.name, submitted.group
    behavior = ("train_behavior", "eval_behavior") if dataset in DATASETS else ()
    _check_targets(group, submitted.rates, submitted.targets, ("eval_spikes_heldout", *behavior))
    if by == "nlb_tools":
        return nlb_tools_metrics(dataset, group, submitted.rates, submitted.targets)
    return benchmark_metrics(submitted.rates, submitted.targets)


def read_submission(file: Path, dataset: str, data: Path, targets: Path | None) -> list[Submitted]:
    """Read and check one dataset of a submission, in each bin width that the submission contains, with its targets.

    A submission of phase val is scored against the recording's val split. A submission of phase test is scored
    against ``targets``, a file in the format of the benchmark's ``eval_data_test.h5``, or by default against the test
    targets of your own recording, the truth of a synthetic recording, or ``eval_data_test.h5`` in ``data``.

    Raises SearchError if the submission is incomplete or no targets are found.
    """
    found = []
    for submitted in _groups(file, dataset):
        recording = open_recording(dataset, data, submitted.bin_ms, settings=submitted.settings)
        phase = _phase(file, recording)
        if submitted.content_hash not in (None, recording.content_hash):
            raise SearchError(
                f"{file} was made from {dataset} with content {str(submitted.content_hash)[:12]}, and {data} has "
                f"content {recording.content_hash[:12]}: give the same file with --data"
            )
        check_submission(file, recording, phase)
        rates = read_group(file, recording.group)
        check_ids(file, rates, ids_of(identities_of(recording, data, submitted.settings), phase))
        known = targets or _known_targets(phase, data, recording)
        group = recording.group
        found.append(Submitted(recording, phase, rates, read_group(known, group)))
    return found


def _check_targets(group: str, submitted: Arrays, targets: Arrays, needed: tuple[str, ...]) -> None:
    """Raise SearchError unless the targets have the same shape as the submission's predictions."""
    missing = [name for name in needed if name not in targets]
    if missing:
        raise SearchError(f"the targets of {group} lack {', '.join(missing)}: give a file like eval_data_test.h5")
    predicted, known = submitted["eval_rates_heldout"].shape, targets["eval_spikes_heldout"].shape
    if predicted != known:
        raise SearchError(
            f"the submission's held-out rates of {group} have the shape {predicted}, and the targets have {known}: "
            "the targets are of another phase or recording"
        )


def _groups(file: Path, dataset: str) -> list[_Group]:
    """The groups of the dataset in a submission, one per bin width."""
    widths = BIN_WIDTHS_MS if dataset in DATASETS else OWN_BIN_WIDTHS_MS
    found = []
    try:
        with h5py.File(file, "r") as submission:
            for bin_ms in widths:
                group = submission.get(group_name(dataset, bin_ms))
                # A dataset's own name may end like a bin width.
                if group is not None and group.attrs.get("dataset", dataset) == dataset:
                    found.append(_Group(bin_ms, _settings(file, group), group.attrs.get(CONTENT)))
            names = ", ".join(submission) or "none"
    except OSError as error:
        raise SearchError(f"cannot read {file} as a submission: {why_unreadable(error)}") from error
    if not found:
        raise SearchError(f"{file} has no group '{dataset}' (it has {names}): give its dataset with --dataset")
    return found


def _settings(file: Path, group: h5py.Group) -> RecordingSettings | None:
    written = group.attrs.get(SETTINGS)
    try:
        return None if written is None else RecordingSettings.model_validate_json(written)
    except ValidationError as error:
        raise SearchError(
            f"the attribute '{SETTINGS}' of {group.name} in {file} is not valid: "
            "copy it from a submission written by export-best"
        ) from error


def _phase(file: Path, recording: Recording) -> Phase:
    """The phase of a submission: from its attribute, or else from its number of evaluated trials."""
    with h5py.File(file, "r") as submission:
        group = submission[recording.group]
        phase = group.attrs.get("phase")
        n_trials = group["eval_rates_heldout"].shape[0] if "eval_rates_heldout" in group else None
    if phase in ("val", "test"):
        return "val" if phase == "val" else "test"
    return "val" if recording.test is None or n_trials == recording.val.n_trials else "test"


def _known_targets(phase: Phase, data: Path, recording: Recording) -> Path:
    """The targets of a phase: the recording's own, those of a synthetic recording, or the benchmark's public ones."""
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
        "this submission is of phase test, and the recording has no test targets: "
        "download the benchmark's with `nlb-search fetch --targets`, or give a file with --targets"
    )
