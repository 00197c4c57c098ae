"""A recording: spike counts of trials, split into train, val and test as in the benchmark."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nlb_search.data.datasets import group_name

UNSEEN = 255
"""Value that marks an unknown count (NaN in nlb_tools)."""

Counts = npt.NDArray[np.uint8]
"""Spikes per bin, trials x bins x neurons; ``UNSEEN`` where the count is unknown."""


@dataclass(frozen=True, eq=False)
class Split:
    """Spike counts of one split. The parts that the benchmark defines are views of one array.

    A part is None if its counts are not available: only the benchmark has the held-out neurons and forward bins of its
    test split. Counts are ``UNSEEN`` where a window of ``val`` or ``test`` extends into time that was not recorded. In
    dmfc_rsg, held-out counts are also ``UNSEEN`` outside the scored interval from Set to Go.
    """

    counts: Counts
    """Trials x bins (window, then forward) x neurons (held-in, then held-out). Test: window bins and held-in only."""
    n_window_bins: int
    n_heldin: int

    @property
    def heldin(self) -> Counts:
        """Trials x window bins x held-in neurons."""
        return self.counts[:, : self.n_window_bins, : self.n_heldin]

    @property
    def heldout(self) -> Counts | None:
        """Trials x window bins x held-out neurons."""
        return self.counts[:, : self.n_window_bins, self.n_heldin :] if self.has_targets else None

    @property
    def heldin_forward(self) -> Counts | None:
        """Trials x forward bins x held-in neurons."""
        return self.counts[:, self.n_window_bins :, : self.n_heldin] if self.has_targets else None

    @property
    def heldout_forward(self) -> Counts | None:
        """Trials x forward bins x held-out neurons."""
        return self.counts[:, self.n_window_bins :, self.n_heldin :] if self.has_targets else None

    @property
    def has_targets(self) -> bool:
        """Whether the counts of held-out neurons and forward bins are available: true for all splits except test."""
        return self.counts.shape[1:] != (self.n_window_bins, self.n_heldin)

    @property
    def n_trials(self) -> int:
        return len(self.counts)


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording in bins of ``bin_ms``. Its arrays are memory-mapped from the cache, read-only.

    A search maximizes the score on ``val``; submissions for the test phase are trained on ``train_val``; ``test`` is
    None if there are no test trials. ``name`` is the name of the dataset. ``content_hash`` is a SHA-256 in hex; equal
    hashes mean equal recordings. ``val_targets`` is an HDF5 file for ``nlb_tools.evaluation.evaluate`` with one group,
    named ``group``. ``test_targets`` is the same for the test trials, or None if their targets are not available, as in
    the benchmark. ``choices`` describes the defaults that were used where neither files nor settings decide.
    """

    name: str
    bin_ms: int
    content_hash: str
    train: Split
    val: Split
    train_val: Split
    test: Split | None
    val_targets: Path
    test_targets: Path | None
    choices: tuple[str, ...]

    @property
    def n_heldin(self) -> int:
        return self.train.n_heldin

    @property
    def n_heldout(self) -> int:
        return int(self.train.counts.shape[2]) - self.n_heldin

    @property
    def n_window_bins(self) -> int:
        return self.train.n_window_bins

    @property
    def n_forward_bins(self) -> int:
        return int(self.train.counts.shape[1]) - self.n_window_bins

    @property
    def group(self) -> str:
        """Name of the recording's group in files of submissions and targets: ``mc_rtt`` or ``mc_rtt_20``."""
        return group_name(self.name, self.bin_ms)
