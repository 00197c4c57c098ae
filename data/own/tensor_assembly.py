"""Assembling tensors from the train and val splits of your own recording, and checking the splits."""

import hashlib
from pathlib import Path

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.recording import UNSEEN, Counts, Split
from nlb_search.data.source import Array, Tensors

MIN_SPIKES_TO_COMPARE = 20
"""Trials with equal counts are reported as one trial only if they have at least this many spikes.

Different trials with fewer spikes may be equal by chance.
"""


def assembled_tensors(path: Path, train: Split, val: Split, scored: dict[str, Array], choices: list[str]) -> Tensors:
    """The tensors of a recording. The targets of val are its spike counts, and the arrays in ``scored``.

    Raises DataError if a trial is in both splits, or if a part of a split has no spikes and so cannot be scored.
    """
    for name, split in (("train", train), ("val", val)):
        for part, counts in _parts(split).items():
            if not counts.any(where=counts != UNSEEN):
                raise DataError(
                    f"{path}: the {part} counts of {name} have no spikes, so they cannot be scored: "
                    "check the arrays, or give more trials or neurons"
                )
    _check_overlap(path, train, val)
    train_val = Split(np.concatenate([train.counts, val.counts]), train.n_window_bins, train.n_heldin)
    splits = {"train": train, "val": val, "train_val": train_val}
    return Tensors(splits, spike_targets(val) | scored, tuple(choices))


def spike_targets(evaluated: Split) -> dict[str, Array]:
    """Spike counts that predictions of a split are scored against, by the benchmark's names; NaN is not scored."""
    return {f"eval_spikes_{part}": _with_nan(counts) for part, counts in _parts(evaluated).items() if part != "heldin"}


def _with_nan(counts: Counts) -> Array:
    """The counts with NaN, which is not scored, where they are unknown; as they are if all are known."""
    unseen = counts == UNSEEN
    return np.where(unseen, np.nan, counts).astype(np.float32) if unseen.any() else counts


def _parts(split: Split) -> dict[str, Counts]:
    """The parts of a split, by the benchmark's names."""
    parts = {
        "heldin": split.heldin,
        "heldout": split.heldout,
        "heldin_forward": split.heldin_forward,
        "heldout_forward": split.heldout_forward,
    }
    return {name: counts for name, counts in parts.items() if counts is not None and counts.shape[1]}


def drawn_heldout(path: Path, n_neurons: int, share: float) -> Array:
    """Draw the indices of the held-out neurons, sorted: a random fraction, always the same for a number of neurons.

    Raises DataError if there are fewer than two neurons.
    """
    if n_neurons < 2:
        raise DataError(
            f"{path} has {n_neurons} {'neuron' if n_neurons == 1 else 'neurons'}, but at least 2 are needed: one to "
            "read and one to hold out"
        )
    n_heldout = min(max(round(share * n_neurons), 1), n_neurons - 1)
    return np.sort(np.random.default_rng(0).permutation(n_neurons)[:n_heldout])


def heldout_last(counts: Counts, heldout: Array) -> Counts:
    """Reorder counts: held-in neurons first, then the held-out neurons, each in their original order."""
    heldin = np.setdiff1d(np.arange(counts.shape[2]), heldout)
    return counts[:, :, np.concatenate([heldin, heldout])]


def _check_overlap(path: Path, train: Split, val: Split) -> None:
    trained = {digest(counts): trial for trial, counts in enumerate(train.counts)}
    for trial, counts in enumerate(val.counts):
        twin = trained.get(digest(counts))
        if twin is not None and counts.sum(dtype=np.int64, where=counts != UNSEEN) >= MIN_SPIKES_TO_COMPARE:
            raise DataError(
                f"{path}: trial {trial} of val equals trial {twin} of train: val must not have training trials"
            )


def digest(counts: Counts) -> bytes:
    """A hash of a trial's counts: equal for equal trials."""
    return hashlib.blake2b(np.ascontiguousarray(counts).data, digest_size=16).digest()
