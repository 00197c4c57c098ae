"""Recordings in the format of lfads-torch (https://github.com/arsedler9/lfads-torch): trials x bins x channels.

A model reads ``*_encod_data`` and predicts ``*_recon_data``. The latter starts with the bins and channels of the
former; further channels are held out, and further bins are forward bins. ``valid`` is val. Test trials are optional:
``test_encod_data``, and ``test_recon_data`` if their targets are known.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.arrays.array_test_split import with_test
from nlb_search.data.own.arrays.counts import check_axes, check_counts, check_needed, fill, swapped_axes
from nlb_search.data.own.file_format import LFADS_SPIKES
from nlb_search.data.own.memory import check_memory
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.tensor_assembly import assembled_tensors, drawn_heldout, heldout_last, spike_targets
from nlb_search.data.recording import Counts, Split
from nlb_search.data.source import Array, Tensors

TEST_ENCOD, TEST_RECON = "test_encod_data", "test_recon_data"


def tensors_of_lfads(path: Path, arrays: Mapping[str, Any], settings: RecordingSettings) -> Tensors:
    """Make the tensors from the four arrays. If recon and encod have the same neurons, ``settings`` say which are
    held out.

    Raises DataError, with the array and the value, if the arrays do not match each other or are not spike counts.
    """
    check_needed(path, LFADS_SPIKES, arrays)
    shapes = {name: check_counts(path, name, arrays[name]) for name in LFADS_SPIKES}
    check_memory(path, (shapes[f"{prefix}_recon_data"] for prefix in ("train", "valid")))
    check_axes(
        path, {part: (shapes[f"train_{part}_data"], shapes[f"valid_{part}_data"]) for part in ("encod", "recon")}
    )
    for part in ("encod", "recon"):
        trained, scored = (shapes[f"{prefix}_{part}_data"][1:] for prefix in ("train", "valid"))
        if trained != scored:
            raise DataError(f"{path}: {part} has {trained} bins and channels in train, but {scored} in valid")
    n_window_bins, n_read = shapes["train_encod_data"][1:]
    n_bins, n_neurons = shapes["train_recon_data"][1:]
    choices = ["no forward bins"] if n_bins == n_window_bins else []
    heldout = None
    if n_neurons == n_read:
        heldout = heldout_channels(path, n_neurons, settings)
        if isinstance(settings.heldout, float):
            choices.append(f"held out a random {len(heldout)} of the {n_neurons} neurons")
    else:
        settings.check_unused(frozenset(), path, "its recon arrays determine the held-out neurons")
    n_heldin = n_read if heldout is None else n_neurons - len(heldout)
    train, val = (
        Split(_ordered(_predicted(path, arrays, prefix), heldout), n_window_bins, n_heldin)
        for prefix in ("train", "valid")
    )
    choices += swapped_axes(train.counts)
    tensors = assembled_tensors(path, train, val, {}, choices)
    if not any(name in arrays for name in (TEST_ENCOD, TEST_RECON)):
        return tensors
    return with_test(path, tensors, *_test(path, arrays, train, heldout))


def _test(
    path: Path, arrays: Mapping[str, Any], train: Split, heldout: Array | None
) -> tuple[Counts, dict[str, Array]]:
    """The held-in counts of the test trials, and the spikes that they are scored against, if they are known."""
    check_needed(path, [TEST_ENCOD], arrays)
    n_read = check_counts(path, TEST_ENCOD, arrays[TEST_ENCOD])[2]
    if TEST_RECON in arrays:
        check_counts(path, TEST_RECON, arrays[TEST_RECON])
        test = Split(_ordered(_predicted(path, arrays, "test"), heldout), train.n_window_bins, train.n_heldin)
        if test.counts.shape[1:] != train.counts.shape[1:]:
            raise DataError(
                f"{path}: recon has {train.counts.shape[1:]} bins and channels in train, but {test.counts.shape[1:]} "
                "in test"
            )
        return np.ascontiguousarray(test.heldin), spike_targets(test)
    read = np.empty(arrays[TEST_ENCOD].shape, np.uint8)
    fill(read, path, TEST_ENCOD, arrays[TEST_ENCOD])
    # If a fraction of the channels that are read is held out, their counts in test are targets.
    if heldout is not None and n_read == train.counts.shape[2]:
        test = Split(_ordered(read, heldout), train.n_window_bins, train.n_heldin)
        return np.ascontiguousarray(test.heldin), spike_targets(test)
    return read, {}


def heldout_channels(path: Path, n_channels: int, settings: RecordingSettings) -> Array:
    """The sorted indices of the channels that are held out if encod and recon have the same channels.

    Raises DataError if ``settings`` name a column, which arrays do not have, or channels that do not exist.
    """
    settings.check_unused(frozenset({"heldout"}), path, "it is not an NWB file")
    if isinstance(settings.heldout, float):
        return drawn_heldout(path, n_channels, settings.heldout)
    if isinstance(settings.heldout, str):
        raise DataError(
            f"{path} is not an NWB file and has no unit column '{settings.heldout}': set heldout to a fraction of the "
            "neurons, or to a list of channels"
        )
    channels = np.sort(np.array(settings.heldout))
    if channels[0] < 0 or channels[-1] >= n_channels or len(channels) == n_channels:
        raise DataError(
            f"{path}: heldout lists channels {', '.join(map(str, channels))}, but it must be some of the channels 0 "
            f"to {n_channels - 1}, and not all"
        )
    return channels


def _ordered(counts: Counts, heldout: Array | None) -> Counts:
    return counts if heldout is None else heldout_last(counts, heldout)


def _predicted(path: Path, arrays: Mapping[str, Any], prefix: str) -> Counts:
    """The counts of recon. Raises DataError unless it starts with the bins and channels of encod."""
    encod, recon = f"{prefix}_encod_data", f"{prefix}_recon_data"
    read, predicted = (np.empty(arrays[name].shape, np.uint8) for name in (encod, recon))
    for counts, name in ((read, encod), (predicted, recon)):
        fill(counts, path, name, arrays[name])
    n_trials, n_bins, n_neurons = read.shape
    if not np.array_equal(predicted[:n_trials, :n_bins, :n_neurons], read) or len(predicted) != n_trials:
        raise DataError(
            f"{path}: {recon} {predicted.shape} does not start with the bins and channels of {encod} {read.shape}: "
            "it must have the same trials, with held-out channels and forward bins added at the end"
        )
    return predicted
