"""A recording as the rest of the service sees it: spike counts, split as the benchmark splits them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nlb_search.data.datasets import group_name

UNSEEN = 255
"""The count that marks a bin whose true count is not known (NaN in nlb_tools)."""

Counts = npt.NDArray[np.uint8]
"""Spikes per bin, trials x bins x neurons; ``UNSEEN`` where the count is not known."""


@dataclass(frozen=True, eq=False)
class Split:
    """The spike counts of one split, in one array of which the parts that the benchmark names are views.

    A part is None where nothing can be read: held-out neurons and forward bins of the test split are known to the
    benchmark alone. ``UNSEEN`` stands in held-out counts of dmfc_rsg outside the scored time from set to go,
    and anywhere a window of ``val`` or ``test`` reaches into time that was not recorded.
    """

    counts: Counts
    """Trials x bins (window, then forward) x neurons (held-in, then held-out); of test, window and held-in alone."""
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
        """Whether held-out neurons and forward bins are known: in every split but test."""
        return self.counts.shape[1:] != (self.n_window_bins, self.n_heldin)

    @property
    def n_trials(self) -> int:
        return len(self.counts)


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording in bins of ``bin_ms``; its arrays are mapped from the prepared cache, read-only.

    ``val`` is the search's objective, ``train_val`` what a submission for the test phase is trained on, and
    ``test`` is None where there are no test trials. ``name`` is the dataset's. ``content_hash`` is a SHA-256 of its
    files, in hex: two recordings with the same hash are the same. ``val_targets`` is an HDF5 file for
    ``nlb_tools.evaluation.evaluate``, whose one group is named ``group``; ``test_targets`` is one for the test trials,
    or None where the recording does not know their targets, as in the benchmark. ``choices`` says in words what was
    decided about it where neither its files nor its settings say.
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
        """The name under which a submission and its targets hold this recording: ``mc_rtt`` or ``mc_rtt_20``."""
        return group_name(self.name, self.bin_ms)
