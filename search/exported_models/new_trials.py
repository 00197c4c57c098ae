"""Rates of a model for the trials of a recording of the same neurons, as an HDF5 file.

The file has a group for each split of the recording (``train``, ``val`` and, if there are test trials, ``test``). Each
has ``rates``, trials x bins (window, then forward) x neurons (held-in, then held-out), in spikes per bin, and
``trials``, the rows in its trial table or indices in its arrays. The attributes of the file say what the rates are;
``heldin_units`` and ``heldout_units`` name the neurons.
"""

from pathlib import Path

import h5py
import numpy as np

from nlb_search.data.datasets import DATASETS
from nlb_search.data.inspection.identities import Identities, identities_of
from nlb_search.data.opening import open_recording
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.recording import Recording, Split
from nlb_search.search.errors import SearchError
from nlb_search.search.exported_models.card import Card
from nlb_search.search.exported_models.model import Model
from nlb_search.search.output_paths import check_file
from nlb_search.search.recording_tensors import heldin_of
from nlb_search.storage.atomic_files import atomic_file


def predict_recording(
    model: Model, data: Path, out: Path, dataset: str | None = None, settings: RecordingSettings | None = None
) -> None:
    """Write the model's rates for all trials of the recording in ``data`` to the file ``out``.

    The recording is read like the one that the model was trained on, unless another ``dataset`` or other ``settings``
    are given. Raises SearchError, before anything is computed, if its neurons or its window differ from the model's or
    if ``out`` cannot be written; DataError if the recording cannot be read.
    """
    check_file(out, _is_rates, "a file of rates")
    card = model.card
    name = dataset or card.dataset
    own = None if name in DATASETS else _without_behavior(settings or card.recording or RecordingSettings())
    recording = open_recording(name, data, card.bin_ms, settings=own or settings)
    identities = identities_of(recording, data, own)
    _check_same_neurons(card, recording, identities, data)
    splits = {"train": recording.train, "val": recording.val, "test": recording.test}
    known = {split_name: split for split_name, split in splits.items() if split is not None}
    try:
        with atomic_file(out) as part, h5py.File(part, "w") as file:
            _write(file, model, recording, known, identities)
    except OSError as error:
        raise SearchError(f"cannot write {out}: {error.strerror or error}") from error


def _write(
    file: h5py.File, model: Model, recording: Recording, splits: dict[str, Split], identities: Identities
) -> None:
    file.attrs.update(
        unit="spikes per bin",
        bin_ms=recording.bin_ms,
        n_window_bins=recording.n_window_bins,
        dataset=recording.name,
        content_hash=recording.content_hash,
        study=model.card.study,
    )
    file["heldin_units"] = np.array(identities.heldin, np.int64)
    file["heldout_units"] = np.array(identities.heldout, np.int64)
    for name, split in splits.items():
        rates = model(heldin_of(split).numpy())
        file.create_dataset(f"{name}/rates", data=rates, compression="gzip", shuffle=True)
        file[f"{name}/trials"] = np.array(identities.trials[name], np.int64)


def _without_behavior(settings: RecordingSettings) -> RecordingSettings:
    """Settings for reading spikes only: a new session may lack the behaviour that the first one had."""
    unused = {"behavior": None, "lag_ms": 0, "interval": None, "interval_condition": ()}
    return settings.model_copy(update=unused)


def _is_rates(path: Path) -> bool:
    """Whether a file was written by ``predict_recording``."""
    try:
        with h5py.File(path, "r") as file:
            return "train/rates" in file and "study" in file.attrs
    except OSError:
        return False


def _check_same_neurons(card: Card, recording: Recording, identities: Identities, data: Path) -> None:
    """Raise SearchError unless the recording has the neurons and the window that the model reads."""
    sizes = card.sizes
    if (recording.n_heldin, recording.n_heldout) != (sizes.n_heldin, sizes.n_heldout):
        raise SearchError(
            f"the model has {sizes.n_heldin} held-in and {sizes.n_heldout} held-out neurons, but {data} has "
            f"{recording.n_heldin} and {recording.n_heldout}: give a recording of the same neurons, with the same ones "
            "held out"
        )
    if identities.units == card.units == "ids of the unit table":
        for kind, here, there in (
            ("held-in", identities.heldin, card.heldin_units),
            ("held-out", identities.heldout, card.heldout_units),
        ):
            if here != there:
                missing, new = sorted(set(there or ()) - set(here)), sorted(set(here) - set(there or ()))
                raise SearchError(
                    f"the {kind} units of {data} are not those of the model: it lacks {_listed(missing)} and has "
                    f"{_listed(new)} instead; give a recording of the same neurons, with the same held out"
                )
    if recording.n_window_bins != sizes.n_window:
        raise SearchError(
            f"the model reads windows of {sizes.n_window} bins of {card.bin_ms} ms, and those of {data} have "
            f"{recording.n_window_bins}: set window_ms in the file of --recording"
        )


def _listed(units: list[int], most: int = 5) -> str:
    """The first units of a list, and the number of the others."""
    shown = ", ".join(map(str, units[:most]))
    return f"{shown} and {len(units) - most} more" if len(units) > most else shown
