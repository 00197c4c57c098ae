"""The test trials of a recording of arrays: what models read, and the targets that only ``evaluate`` reads."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.tensor_assembly import MIN_SPIKES_TO_COMPARE, digest
from nlb_search.data.recording import Counts, Split
from nlb_search.data.source import Array, Tensors


def with_test(path: Path, tensors: Tensors, heldin: Counts, targets: Mapping[str, Array]) -> Tensors:
    """Add the test trials to the tensors of a recording.

    ``heldin`` are the held-in counts in the window, test trials x bins x held-in neurons; ``targets`` are the arrays
    that predictions are scored against, by the benchmark's names, or empty if they are not known. Raises DataError if
    the window or the neurons differ from those of train, or if a test trial is also in train or val.
    """
    known = tensors.splits["train_val"]
    expected = (known.n_window_bins, known.n_heldin)
    if heldin.shape[1:] != expected:
        raise DataError(
            f"{path}: test has {heldin.shape[1]} bins and {heldin.shape[2]} held-in neurons, but train has "
            f"{expected[0]} bins and {expected[1]} held-in neurons: both must have the same"
        )
    seen = {digest(counts): trial for trial, counts in enumerate(known.heldin)}
    for trial, counts in enumerate(heldin):
        twin = seen.get(digest(counts))
        if twin is not None and counts.sum(dtype=np.int64) >= MIN_SPIKES_TO_COMPARE:
            raise DataError(
                f"{path}: trial {trial} of test equals trial {twin} of train and val: test must not have their trials"
            )
    splits = {**tensors.splits, "test": Split(heldin, known.n_window_bins, known.n_heldin)}
    return replace(tensors, splits=splits, test_targets=dict(targets) or None)
