"""Reading your own recording with spike times into tensors, from the tables of an NWB file."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from nlb_search.data.dataset_files import Contents, contents_of
from nlb_search.data.errors import DataError
from nlb_search.data.own.binning.behavior import behavior_from, check_samples, read_series, series_path
from nlb_search.data.own.binning.event_bins import counts_from
from nlb_search.data.own.binning.produced_intervals import produced_intervals
from nlb_search.data.own.binning.trial_averages import trial_averages
from nlb_search.data.own.intervals import NS_PER_MS, IntArray
from nlb_search.data.own.memory import check_memory
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.sessions.pooled_sessions import PlannedSession, planned_sessions, train_val_order
from nlb_search.data.own.sessions.trials import WindowPlan
from nlb_search.data.own.tensor_assembly import assembled_tensors, spike_targets
from nlb_search.data.recording import UNSEEN, Counts, Split
from nlb_search.data.source import Array, Tensors


def tensors_of_nwb(path: Path, file: h5py.File, settings: RecordingSettings, bin_ms: int) -> Tensors:
    """Make the tensors, in bins of ``bin_ms``, from an open NWB file with a unit table.

    Raises DataError if the file does not have a table, column or series that is needed, or if trials are incomplete.
    """
    sessions, counts, behavior, choices = [], [], [], []
    for one in planned_sessions(path, file, settings, bin_ms):
        check_memory(one.session.path, _shapes(one))
        contents = contents_of(one.session.path, one.file)
        sessions.append(one)
        behavior.append(_behavior(contents, one.file, one.plan, settings, bin_ms))
        counts.append(_counts(one, bin_ms))
        said = [*one.session.choices, *one.plan.choices, *_without_effect(contents, settings)]
        choices += said if one is sessions[0] else [f"{one.session.path.name}: {what}" for what in said]
    session, plan = sessions[0].session, sessions[0].plan
    n_heldin = len(session.heldin.ids)
    splits = {name: Split(pooled, plan.n_window_bins, n_heldin) for name, pooled in _pooled(counts).items()}
    if settings.forward_ms is None and any(_has_silent_forward(split) for split in splits.values()):
        splits = {name: _window_only(split) for name, split in splits.items()}
        choices.append("the forward bins of a split have no spikes, so there are no forward bins")
    moves = _pooled(behavior)
    if isinstance(settings.heldout, float):
        n_heldout = len(session.heldout.ids)
        choices.append(f"held out a random {n_heldout} of the {n_heldin + n_heldout} neurons")
    if settings.behavior is None:
        choices.append("no behaviour is decoded")
    scored = {"train_behavior": moves["train"], "eval_behavior": moves["val"]} if moves else {}
    if settings.condition:
        scored |= trial_averages(sessions, ("train", "val"), "val", bin_ms)
    if settings.interval:
        scored |= produced_intervals(sessions, "val", bin_ms)
    order = train_val_order([one.plan for one in sessions])
    tensors = _as_recorded(assembled_tensors(path, splits["train"], splits["val"], scored, choices), order)
    if "test" not in splits:
        return tensors
    of_test = trial_averages(sessions, ("train", "val", "test"), "test", bin_ms) if settings.condition else {}
    if settings.interval:
        of_test |= produced_intervals(sessions, "test", bin_ms)
    return _with_test(tensors, splits["test"], moves, of_test, order)


def _shapes(one: PlannedSession) -> list[tuple[int, int, int]]:
    """The shapes of the counts of each split of one session."""
    plan, n_neurons = one.plan, len(one.session.heldin.ids) + len(one.session.heldout.ids)
    return [(len(rows), plan.n_window_bins + plan.n_forward_bins, n_neurons) for rows in plan.rows.values()]


def _counts(one: PlannedSession, bin_ms: int) -> dict[str, Counts]:
    """The counts of each split of one session."""
    session, plan = one.session, one.plan
    starts_ns = [plan.starts_ns[rows] for rows in plan.rows.values()]
    n_bins = plan.n_window_bins + plan.n_forward_bins
    counted = counts_from(session.path, (session.heldin, session.heldout), starts_ns, n_bins, bin_ms)
    for counts, rows in zip(counted, plan.rows.values(), strict=True):
        counts[plan.forward_unseen[rows], plan.n_window_bins :] = UNSEEN
    return dict(zip(plan.rows, counted, strict=True))


def _pooled(parts: list[dict[str, Array]]) -> dict[str, Array]:
    """The arrays of all sessions, one after the other, by split."""
    names = dict.fromkeys(name for part in parts for name in part)
    found = {name: [part[name] for part in parts if name in part] for name in names}
    return {name: arrays[0] if len(arrays) == 1 else np.concatenate(arrays) for name, arrays in found.items()}


def _has_silent_forward(split: Split) -> bool:
    """Whether the split has forward bins, without spikes of the held-in or of the held-out neurons."""
    parts = (split.heldin_forward, split.heldout_forward)
    return any(part is not None and part.size > 0 and not part.any(where=part != UNSEEN) for part in parts)


def _window_only(split: Split) -> Split:
    return Split(np.ascontiguousarray(split.counts[:, : split.n_window_bins]), split.n_window_bins, split.n_heldin)


def _without_effect(contents: Contents, settings: RecordingSettings) -> list[str]:
    """Settings and columns of the file that a user may expect to have an effect, but that are not used."""
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
    contents: Contents, file: h5py.File, plan: WindowPlan, settings: RecordingSettings, bin_ms: int
) -> dict[str, Array]:
    """Behaviour of each split, trials x bins of the window x columns; empty if ``settings`` name no behaviour."""
    if settings.behavior is None:
        return {}
    samples = read_series(contents.path, file, series_path(contents, file, settings.behavior))
    last_ns = max(plan.starts_ns[rows].max() for rows in plan.rows.values())
    check_samples(contents.path, settings.behavior, samples, last_ns / 1e9)
    starts_ns = plan.starts_ns + settings.lag_ms * NS_PER_MS
    behavior = {
        name: behavior_from(samples, starts_ns[rows], plan.n_window_bins, bin_ms) for name, rows in plan.rows.items()
    }
    for name, found in behavior.items():
        if np.isnan(found[..., 0]).all():
            raise DataError(
                f"{contents.path}: time series '{settings.behavior}' has no samples in the windows of {name}: its "
                f"samples are from {np.nanmin(samples.time_s):g} to {np.nanmax(samples.time_s):g} s, and the windows "
                f"start from {starts_ns[plan.rows[name]].min() / 1e9:g} to {last_ns / 1e9:g} s; check its times, in "
                "seconds on the same clock, and lag_ms"
            )
    return behavior


def _as_recorded(tensors: Tensors, order: IntArray) -> Tensors:
    """Sort the trials of ``train_val`` by time, as in the benchmark's recordings, so that drift can be detected."""
    both = tensors.splits["train_val"]
    ordered = Split(both.counts[order], both.n_window_bins, both.n_heldin)
    return replace(tensors, splits={**tensors.splits, "train_val": ordered})


def _with_test(
    tensors: Tensors, test: Split, behavior: dict[str, Array], others: dict[str, Array], order: IntArray
) -> Tensors:
    """Add the test trials. The split has only the counts that models read; all other counts are targets."""
    heldin = np.ascontiguousarray(test.heldin)
    splits = {**tensors.splits, "test": Split(heldin, test.n_window_bins, test.n_heldin)}
    targets = spike_targets(test) | others
    if behavior:
        targets["train_behavior"] = np.concatenate([behavior["train"], behavior["val"]])[order]
        targets["eval_behavior"] = behavior["test"]
    return replace(tensors, splits=splits, test_targets=targets)
