"""Reading your own NWB file into tensors."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from nlb_search.data.dataset_files import Contents, read_contents
from nlb_search.data.errors import DataError
from nlb_search.data.nwb.session import read_samples
from nlb_search.data.own.behavior import behavior_from, check_orientation, series_path
from nlb_search.data.own.event_bins import counts_from
from nlb_search.data.own.heldout_units import heldout_units
from nlb_search.data.own.intervals import NS_PER_MS
from nlb_search.data.own.recording_settings import RecordingSettings
from nlb_search.data.own.session import read_own_session
from nlb_search.data.own.splits import joined, spike_targets
from nlb_search.data.own.trials import Plan, plan_of
from nlb_search.data.own.wording import names_in
from nlb_search.data.recording import UNSEEN, Split
from nlb_search.data.source import Array, Tensors


def tensors_of_nwb(path: Path, settings: RecordingSettings, bin_ms: int) -> Tensors:
    """Make the tensors, in bins of ``bin_ms``, from a file with a unit table and a trial table.

    Raises DataError if the file does not have a table, column or series that is needed, or if trials are incomplete.
    """
    contents = read_contents(path)
    _check_there(contents, settings)
    heldout = heldout_units(path, settings)
    session = read_own_session(contents, settings, heldout)
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
    behavior = _behavior(contents, plan, settings, bin_ms)
    choices = [*plan.choices, *_without_effect(contents, settings)]
    if isinstance(settings.heldout, float):
        choices.append(f"held out a random {np.count_nonzero(heldout)} of the {len(heldout)} neurons")
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
        and "split" in contents.trials,
        "val_share has no effect, because split is set": settings.split is not None
        and settings.val_share != defaults.val_share,
        "lag_ms has no effect, because no behavior is set": settings.behavior is None
        and settings.lag_ms != defaults.lag_ms,
    }
    return [what for what, holds in unused.items() if holds]


def _check_there(contents: Contents, settings: RecordingSettings) -> None:
    """Raises DataError unless the file has the tables, columns and series to read."""
    for table, held, needed in (
        ("unit", contents.units, {"spike_times", "spike_times_index"}),
        ("trial", contents.trials, {"start_time", "stop_time"}),
    ):
        if not needed <= held:
            raise DataError(
                f"{contents.path} has no {table} table with {' and '.join(sorted(needed))}: "
                f"{'its columns are ' + names_in(held) if held else 'it has no such table'}"
            )
    named = [("trial column", settings.align, contents.trials), ("trial column", settings.split, contents.trials)]
    if settings.behavior is not None:
        check_orientation(contents.path, series_path(contents, settings.behavior))
    if isinstance(settings.heldout, str):
        named.append(("unit column", settings.heldout, contents.units))
    for what, name, held in named:
        if name is not None and name not in held:
            raise DataError(f"{contents.path} has no {what} '{name}': choose one of {names_in(held)}")


def _behavior(contents: Contents, plan: Plan, settings: RecordingSettings, bin_ms: int) -> dict[str, Array]:
    """Behaviour of each split, trials x bins of the window x columns; empty if ``settings`` name no behaviour."""
    if settings.behavior is None:
        return {}
    samples = read_samples(contents.path, series_path(contents, settings.behavior))
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
