"""Recordings with chosen spike counts and known statistics."""

from pathlib import Path

import h5py
import numpy as np

from nlb_search.data.recording import Recording, Split

N_HELDIN, N_WINDOW = 12, 30
N_NEURONS, N_BINS = 16, 40


def population(n_trials: int = 120, rate: float = 0.05, seed: int = 0) -> np.ndarray:
    """Independent Poisson neurons with the same rate in spikes per bin: trials x bins x neurons."""
    return np.random.default_rng(seed).poisson(rate, (n_trials, N_BINS, N_NEURONS)).astype(np.uint8)


def build(
    folder: Path,
    counts_BTN: np.ndarray,
    n_window: int = N_WINDOW,
    bin_ms: int = 5,
    test_BWI: np.ndarray | None = None,
    targets: dict[str, np.ndarray] | None = None,
) -> Recording:
    """A recording of these trials, of which every fourth is val; ``targets`` are further arrays of its targets file."""
    is_val = np.arange(len(counts_BTN)) % 4 == 3

    def split(counts: np.ndarray) -> Split:
        return Split(counts, n_window, N_HELDIN)

    path = folder / "val_targets.h5"
    with h5py.File(path, "w") as file:
        for name, values in (targets or {}).items():
            kind = {"dtype": h5py.vlen_dtype(int)} if values.dtype.kind == "O" else {}
            file.create_dataset(f"mc_maze/{name}", data=values, **kind)
    return Recording(
        name="mc_maze",
        bin_ms=bin_ms,
        content_hash="0123456789abcdef" * 4,
        train=split(counts_BTN[~is_val]),
        val=split(counts_BTN[is_val]),
        train_val=split(counts_BTN),
        test=None if test_BWI is None else split(test_BWI),
        val_targets=path,
        test_targets=None,
        choices=(),
    )
