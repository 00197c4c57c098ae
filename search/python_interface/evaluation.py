"""Scoring submissions from Python."""

from pathlib import Path

from nlb_search.search.python_interface.recordings import OpenedRecording
from nlb_search.search.submission.evaluation import Scores, evaluate_submission


def evaluate(file: Path | str, recording: OpenedRecording, targets: Path | str | None = None) -> Scores:
    """Score a submission of a recording with all metrics of the benchmark.

    Returns the metrics by name (co-bps, fp-bps, vel R2, psth R2, tp corr; those that the recording has targets for) for
    each group of the submission: ``mc_rtt``, or ``mc_rtt_20`` in bins of 20 ms. ``targets`` is a file of test targets
    such as ``eval_data_test.h5``, by default the one beside the recording.

    Raises SearchError if the file is not a complete submission of the recording, or if there are no targets.
    """
    return evaluate_submission(Path(file), recording.name, recording.data, None if targets is None else Path(targets))
