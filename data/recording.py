"""A recording as the rest of the service sees it: spike counts, split as the benchmark splits them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.datasets import FORWARD_MS, Dataset, group_name

UNSEEN = 255
"""The count that marks a bin whose true count is not known (NaN in nlb_tools)."""

Counts = npt.NDArray[np.uint8]
"""Spikes per bin, trials x bins x neurons; ``UNSEEN`` where the count is not known."""


@dataclass(frozen=True, eq=False)
class Split:
    """The spike counts of one split.

    A field is None where nothing can be read: held-out neurons and forward bins of the test split are known to the
    benchmark alone. ``UNSEEN`` stands in held-out counts of dmfc_rsg outside the scored time from set to go,
    and anywhere a window of ``val`` or ``test`` reaches into time that was not recorded.
    """

    heldin: Counts
    """Trials x window bins x held-in neurons."""
    heldout: Counts | None
    """Trials x window bins x held-out neurons."""
    heldin_forward: Counts | None
    """Trials x forward bins x held-in neurons."""
    heldout_forward: Counts | None
    """Trials x forward bins x held-out neurons."""

    @property
    def n_trials(self) -> int:
        return len(self.heldin)


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording in bins of ``bin_ms``; its arrays are mapped from the prepared cache, read-only.

    ``val`` is the search's objective, ``train_val`` what a submission for the test phase is trained on, and
    ``test`` is None where there is no test file. ``content_hash`` is a SHA-256 of the NWB files, in hex: two
    recordings with the same hash are the same. ``val_targets`` is an HDF5 file for
    ``nlb_tools.evaluation.evaluate``, whose one group is named ``group``.
    """

    dataset: Dataset
    bin_ms: int
    content_hash: str
    train: Split
    val: Split
    train_val: Split
    test: Split | None
    val_targets: Path

    @property
    def n_heldin(self) -> int:
        return int(self.train.heldin.shape[2])

    @property
    def n_heldout(self) -> int:
        assert self.train.heldout is not None  # only the test split may lack it
        return int(self.train.heldout.shape[2])

    @property
    def n_window_bins(self) -> int:
        return self.dataset.window_length_ms // self.bin_ms

    @property
    def n_forward_bins(self) -> int:
        return FORWARD_MS // self.bin_ms

    @property
    def group(self) -> str:
        """The name under which a submission and its targets hold this recording: ``mc_rtt`` or ``mc_rtt_20``."""
        return group_name(self.dataset.name, self.bin_ms)
