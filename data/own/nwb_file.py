"""Reading your own recording with spike times into tensors, from the tables of an NWB file."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from nlb_search.data.dataset_files import Contents, contents_of
from nlb_search.data.errors import DataError
from nlb_search.data.nwb.session import read_samples
from nlb_search.data.own.behavior import behavior_from, check_orientation, series_path
from nlb_search.data.own.event_bins import counts_from
from nlb_search.data.own.intervals import NS_PER_MS
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.session import read_own_session
from nlb_search.data.own.splits import joined, spike_targets
from nlb_search.data.own.trials import Plan, plan_of
from nlb_search.data.recording import UNSEEN, Split
from nlb_search.data.source import Array, Tensors


def tensors_of_nwb(path: Path, file: h5py.File, settings: RecordingSettings, bin_ms: int) -> Tensors:
    """Make the tensors, in bins of ``bin_ms``, from an open NWB file with a unit table.

    Raises DataError if the file does not have a table, column or series that is needed, or if trials are incomplete.
    """
    contents = contents_of(path, file)
    if settings.behavior is not None:
        check_orientation(path, file, series_path(contents, settings.behavior))
    session = read_own_session(path, file, settings)
    plan = plan_of(session, settings, bin_ms)
    n_bins = plan.n_window_bins + plan.n_forward_bins
    starts_ns = [plan.starts_ns[rows] for rows in plan.rows.values()]
    counted = counts_from(path, (session.heldin, session.heldout), starts_ns, n_bins, bin_ms)
    for counts, rows in zip(counted, plan.rows.values(), strict=True):
        counts[plan.forward_unseen[rows], plan.n_window_bins :] = UNSEEN
    splits = {
        name: Split(counts, plan.n_window_bins, len(session.heldin.ids))
        for name, counts in zip(plan.rows, counted, strict=True)
    }
    behavior = _behavior(contents, file, plan, settings, bin_ms)
    choices = [*session.choices, *plan.choices, *_without_effect(contents, settings)]
    if isinstance(settings.heldout, float):
        n_heldin, n_heldout = len(session.heldin.ids), len(session.heldout.ids)
        choices.append(f"held out a random {n_heldout} of the {n_heldin + n_heldout} neurons")
    if settings.behavior is None:
        choices.append("no behaviour is decoded")
    scored = {"train_behavior": behavior["train"], "eval_behavior": behavior["val"]} if behavior else {}
    tensors = _as_recorded(joined(path, splits["train"], splits["val"], scored, choices), plan)
    return _with_test(tensors, splits["test"], behavior, plan) if "test" in splits else tensors


def _without_effect(contents: Contents, settings: RecordingSettings) -> list[str]:
    """Settings, and a column of the file, that one would expect to matter but that are not used."""
    defaults = RecordingSettings()
    unused = {
        "the trial column 'split' is not used: set split to use it": settings.split is None
        and settings.cut_ms is None
        and "split" in contents.trials,
        "the trial table is not used, because cut_ms is set": settings.cut_ms is not None and bool(contents.trials),
        "val_share has no effect, because split is set": settings.split is not None
        and settings.val_share != defaults.val_share,
        "the unit column 'group' is not used: set units to use it": contents.path.is_dir()
        and settings.units is None
        and "group" in contents.units,
        "trial_table has no effect, because the file has its own": not contents.path.is_dir()
        and settings.trial_table != defaults.trial_table,
        "lag_ms has no effect, because no behavior is set": settings.behavior is None
        and settings.lag_ms != defaults.lag_ms,
    }
    return [what for what, holds in unused.items() if holds]


def _behavior(
    contents: Contents, file: h5py.File, plan: Plan, settings: RecordingSettings, bin_ms: int
) -> dict[str, Array]:
    """Behaviour of each split, trials x bins of the window x columns; empty if ``settings`` name no behaviour."""
    if settings.behavior is None:
        return {}
    samples = read_samples(file[series_path(contents, settings.behavior)])
    starts_ns = plan.starts_ns + settings.lag_ms * NS_PER_MS
    behavior = {
        name: behavior_from(samples, starts_ns[rows], plan.n_window_bins, bin_ms) for name, rows in plan.rows.items()
    }
    for name, found in behavior.items():
        if np.isnan(found[..., 0]).all():
            raise DataError(
                f"{contents.path}: time series '{settings.behavior}' has no samples in the windows of {name}: check "
                "its timestamps and lag_ms"
            )
    return behavior


def _as_recorded(tensors: Tensors, plan: Plan) -> Tensors:
    """Sort the trials of ``train_val`` by time, as in the benchmark's recordings, so that drift can be detected."""
    both = tensors.splits["train_val"]
    ordered = Split(both.counts[plan.train_val_order], both.n_window_bins, both.n_heldin)
    return replace(tensors, splits={**tensors.splits, "train_val": ordered})


def _with_test(tensors: Tensors, test: Split, behavior: dict[str, Array], plan: Plan) -> Tensors:
    """Add the test trials. The split has only the counts that models read; all other counts are targets."""
    heldin = np.ascontiguousarray(test.heldin)
    splits = {**tensors.splits, "test": Split(heldin, test.n_window_bins, test.n_heldin)}
    targets = spike_targets(test)
    if behavior:
        targets["train_behavior"] = np.concatenate([behavior["train"], behavior["val"]])[plan.train_val_order]
        targets["eval_behavior"] = behavior["test"]
    return replace(tensors, splits=splits, test_targets=targets)
