"""Reference tensors of nlb_tools: spikes must be equal, and everything else equal up to rounding."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from nlb_tools.make_tensors import (
    h5_to_dict,
    make_eval_input_tensors,
    make_eval_target_tensors,
    make_train_input_tensors,
)
from nlb_tools.nwb_interface import NWBDataset

from nlb_search.data.dataset_files import read_contents
from nlb_search.data.datasets import FORWARD_MS, dataset_named
from nlb_search.data.recording import UNSEEN, Recording

FIELDS = ("heldin", "heldout", "heldin_forward", "heldout_forward")


@dataclass(frozen=True)
class Reference:
    """Spikes of each split by field, with NaN in unobserved bins, and the targets of val."""

    train: dict[str, np.ndarray]
    train_val: dict[str, np.ndarray]
    val: dict[str, np.ndarray]
    test: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]


class NotWholeError(Exception):
    """nlb_tools dropped trials or truncated them."""


def reference(train: Path, test: Path, name: str, bin_ms: int) -> Reference:
    """Tensors made by nlb_tools. Raises whatever it raises for incomplete trials."""
    with quiet_nlb_tools():
        nwb = loaded(train, name, bin_ms)
        n_train, n_val = (int((nwb.trial_info.split == split).sum()) for split in ("train", "val"))
        fitted = [
            _renamed("train_spikes_", make_train_input_tensors(nwb, name, split, save_file=False, **_FORWARD))
            for split in ("train", ["train", "val"])
        ]
        seen = make_eval_input_tensors(nwb, name, "val", save_file=False)
        (targets,) = make_eval_target_tensors(nwb, name, "train", "val", save_file=False, include_psth=True).values()
        nwb = loaded(test, name, bin_ms)
        n_test = int((nwb.trial_info.split == "test").sum())
        hidden = make_eval_input_tensors(nwb, name, "test", save_file=False)
    val = _renamed("eval_spikes_", seen | {key: targets[key] for key in targets if key.startswith("eval_spikes")})
    result = Reference(*fitted, val, _renamed("eval_spikes_", hidden), targets)
    splits = (result.train, result.train_val, result.val, result.test)
    for split, n_trials in zip(splits, (n_train, n_train + n_val, n_val, n_test), strict=True):
        _check_shape(split, name, bin_ms, n_trials)
    return result


_FORWARD = {"include_forward_pred": True}


def loaded(path: Path, name: str, bin_ms: int) -> NWBDataset:
    """The binned file, without series whose gaps would make nlb_tools drop spikes."""
    others = set(read_contents(path).series) - {dataset_named(name).behavior}
    nwb = NWBDataset(str(path), skip_fields=sorted(others))
    nwb.trial_info["trial_id"] = np.arange(len(nwb.trial_info))
    nwb.resample(bin_ms)
    return nwb


def _renamed(prefix: str, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): values for name, values in tensors.items()}


def _check_shape(split: dict[str, np.ndarray], name: str, bin_ms: int, n_trials: int) -> None:
    for field, spikes in split.items():
        length_ms = FORWARD_MS if "forward" in field else dataset_named(name).window_length_ms
        if spikes.shape[:2] != (n_trials, length_ms // bin_ms):
            raise NotWholeError(f"{field} is {spikes.shape}")


@contextlib.contextmanager
def quiet_nlb_tools() -> Iterator[None]:
    """Silence nlb_tools, which prints, logs, warns and seeds the global generator."""
    logger = logging.getLogger("nlb_tools")
    level, state = logger.level, np.random.get_state()
    logger.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        np.random.set_state(state)


def assert_same(recording: Recording, expected: Reference, rtol: float = 1e-6) -> None:
    """The prepared recording equals the reference; ``rtol`` applies to everything except counts."""
    for name in ("train", "train_val", "val"):
        for field in FIELDS:
            spikes = getattr(expected, name)[field]
            assert_counts_equal(getattr(getattr(recording, name), field), spikes, f"{name} {field}")
    assert recording.test is not None
    assert_counts_equal(recording.test.heldin, expected.test["heldin"], "test heldin")
    with h5py.File(recording.val_targets) as file:
        assert_targets_equal(h5_to_dict(file)[recording.group], expected.targets, rtol)


def assert_counts_equal(counts: np.ndarray, spikes: np.ndarray, what: str = "") -> None:
    assert counts.dtype == np.uint8
    np.testing.assert_array_equal(counts, np.where(np.isnan(spikes), UNSEEN, spikes), err_msg=what)


def assert_targets_equal(saved: dict[str, np.ndarray], expected: dict[str, np.ndarray], rtol: float = 1e-6) -> None:
    assert saved.keys() == expected.keys()
    for name, values in expected.items():
        if name.endswith("cond_idx"):
            assert [list(trials) for trials in saved[name]] == [list(trials) for trials in values]
        else:
            np.testing.assert_allclose(saved[name], values.astype(float), rtol=rtol, atol=1e-9, err_msg=name)
