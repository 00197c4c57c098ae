"""Tensors as lfads-torch reads them (https://github.com/arsedler9/lfads-torch): trials x bins x channels.

``*_encod_data`` is what a model reads and ``*_recon_data`` what it predicts: the same channels and bins first, then
held-out channels and forward bins where it has more. ``valid`` is val.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.counts import check_counts, check_needed, fill
from nlb_search.data.own.layout import LFADS_SPIKES
from nlb_search.data.own.settings import RecordingSettings
from nlb_search.data.own.splits import drawn_heldout, heldout_last, joined
from nlb_search.data.recording import Counts, Split
from nlb_search.data.source import Array, Tensors


def tensors_of_lfads(place: Path, arrays: Mapping[str, Any], settings: RecordingSettings) -> Tensors:
    """The tensors of the four arrays; a share of the neurons is held out here where recon has no more than encod.

    Raises DataError, with the array and the value, for arrays that do not go together or hold no counts.
    """
    check_needed(place, LFADS_SPIKES, arrays)
    shapes = {name: check_counts(place, name, arrays[name]) for name in LFADS_SPIKES}
    for part in ("encod", "recon"):
        trained, scored = (shapes[f"{prefix}_{part}_data"][1:] for prefix in ("train", "valid"))
        if trained != scored:
            raise DataError(f"{place}: {part} has {trained} bins and channels in train, and {scored} in valid")
    n_window_bins, n_read = shapes["train_encod_data"][1:]
    n_bins, n_neurons = shapes["train_recon_data"][1:]
    choices = ["no forward bins"] if n_bins == n_window_bins else []
    heldout = None
    if n_neurons == n_read:
        heldout = _drawn(place, n_neurons, settings)
        choices.append(f"held out a random {len(heldout)} of the {n_neurons} neurons")
    else:
        settings.check_unused(frozenset(), place, "its recon arrays say which neurons are held out")
    n_heldin = n_read if heldout is None else n_neurons - len(heldout)
    train, val = (
        Split(_ordered(_predicted(place, arrays, prefix), heldout), n_window_bins, n_heldin)
        for prefix in ("train", "valid")
    )
    return joined(place, train, val, {}, choices)


def _drawn(place: Path, n_neurons: int, settings: RecordingSettings) -> Array:
    settings.check_unused(frozenset({"heldout"}), place, "it is no NWB file")
    if isinstance(settings.heldout, str):
        raise DataError(
            f"{place} has no column '{settings.heldout}' of neurons, for it is no NWB file: give heldout as a share"
        )
    return drawn_heldout(place, n_neurons, settings.heldout)


def _ordered(counts: Counts, heldout: Array | None) -> Counts:
    return counts if heldout is None else heldout_last(counts, heldout)


def _predicted(place: Path, arrays: Mapping[str, Any], prefix: str) -> Counts:
    """The counts of recon, of which those of encod must be the first."""
    encod, recon = f"{prefix}_encod_data", f"{prefix}_recon_data"
    read, predicted = (np.empty(arrays[name].shape, np.uint8) for name in (encod, recon))
    for counts, name in ((read, encod), (predicted, recon)):
        fill(counts, place, name, arrays[name])
    n_trials, n_bins, n_neurons = read.shape
    if not np.array_equal(predicted[:n_trials, :n_bins, :n_neurons], read) or len(predicted) != n_trials:
        raise DataError(
            f"{place}: {encod} {read.shape} is not the first bins and channels of {recon} {predicted.shape}, which "
            "must be the same trials with held-out channels and forward bins after those that are read"
        )
    return predicted
