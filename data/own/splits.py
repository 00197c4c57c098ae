"""What makes a recording of the splits of somebody else's arrays, and what keeps them from being one."""

import hashlib
from pathlib import Path

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.recording import Counts, Split
from nlb_search.data.source import Array, Tensors

_TELLING_SPIKES = 20
"""Two trials that are equal in every bin are one trial if they have so many spikes; near silence they may be two."""


def joined(place: Path, train: Split, val: Split, scored: dict[str, Array], choices: list[str]) -> Tensors:
    """The tensors of a recording whose val trials are scored on their own counts, and on ``scored`` beside them.

    Raises DataError for splits that hold a trial twice, and for a part of them without a spike, which has no score.
    """
    for name, split in (("train", train), ("val", val)):
        for part, counts in _parts(split).items():
            if not counts.any():
                raise DataError(
                    f"{place}: the {part} counts of {name} have no spike, so nothing can be scored: "
                    "check the arrays, and give more trials or neurons"
                )
    _check_overlap(place, train, val)
    train_val = Split(np.concatenate([train.counts, val.counts]), train.n_window_bins, train.n_heldin)
    splits = {"train": train, "val": val, "train_val": train_val}
    return Tensors(splits, spike_targets(val) | scored, tuple(choices))


def spike_targets(evaluated: Split) -> dict[str, Array]:
    """The counts that predictions of a split are scored against, by the benchmark's names."""
    return {f"eval_spikes_{part}": counts for part, counts in _parts(evaluated).items() if part != "heldin"}


def _parts(split: Split) -> dict[str, Counts]:
    """The parts of a split, by the benchmark's names."""
    parts = {
        "heldin": split.heldin,
        "heldout": split.heldout,
        "heldin_forward": split.heldin_forward,
        "heldout_forward": split.heldout_forward,
    }
    return {name: counts for name, counts in parts.items() if counts is not None and counts.shape[1]}


def drawn_heldout(place: Path, n_neurons: int, share: float) -> Array:
    """Which neurons are held out, ascending: a random share of them, the same draw for as many neurons.

    Raises DataError for a single neuron.
    """
    if n_neurons < 2:
        raise DataError(f"{place} has {n_neurons} neuron: to hold one out, and read another, it must have two")
    n_heldout = min(max(round(share * n_neurons), 1), n_neurons - 1)
    return np.sort(np.random.default_rng(0).permutation(n_neurons)[:n_heldout])


def heldout_last(counts: Counts, heldout: Array) -> Counts:
    """The counts with held-in neurons first, then the held-out ones, each in their order."""
    heldin = np.setdiff1d(np.arange(counts.shape[2]), heldout)
    return counts[:, :, np.concatenate([heldin, heldout])]


def _check_overlap(place: Path, train: Split, val: Split) -> None:
    trained = {_digest(counts): trial for trial, counts in enumerate(train.counts)}
    for trial, counts in enumerate(val.counts):
        twin = trained.get(_digest(counts))
        if twin is not None and counts.sum(dtype=np.int64) >= _TELLING_SPIKES:
            raise DataError(
                f"{place}: trial {trial} of val is trial {twin} of train: val must be trials that no model trains on"
            )


def _digest(counts: Counts) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(counts).data, digest_size=16).digest()
