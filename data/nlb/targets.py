"""Targets that predictions are scored against: the arrays in the benchmark's file of targets.

They are the same as those of ``nlb_tools.make_tensors.make_eval_target_tensors`` (nlb_tools 0.0.4) with
``include_psth``.
"""

import numpy as np

from nlb_search.data.datasets import Dataset
from nlb_search.data.nlb.psth import psth_targets
from nlb_search.data.nlb.windows import behavior_windows
from nlb_search.data.nwb.alignment import BoolArray
from nlb_search.data.nwb.behavior import Decimated, cut_out
from nlb_search.data.nwb.session import Session
from nlb_search.data.recording import UNSEEN, Counts, Split
from nlb_search.data.source import Array


def make_targets(
    dataset: Dataset, session: Session, trained: BoolArray, scored: BoolArray, split: Split, bin_ms: int
) -> dict[str, Array]:
    """Targets by the benchmark's names. ``split`` has the scored trials; decoders are fitted on the trained trials."""
    spikes = {
        "eval_spikes_heldout": split.heldout,
        "eval_spikes_heldin_forward": split.heldin_forward,
        "eval_spikes_heldout_forward": split.heldout_forward,
    }
    targets: dict[str, Array] = {name: _with_nan(counts) for name, counts in spikes.items() if counts is not None}
    series = None if session.behavior is None else Decimated(session.behavior, bin_ms)
    for prefix, selected in (("train", trained), ("eval", scored)):
        if series is None:
            targets[f"{prefix}_behavior"] = _produced_intervals(session, selected)
        else:
            targets[f"{prefix}_behavior"] = cut_out(series, behavior_windows(dataset, session, selected, bin_ms))
        if dataset.layout == "bump":
            bumped = session.trials["ctr_hold_bump"][selected]
            targets[f"{prefix}_decode_mask"] = np.stack([bumped == 0, bumped == 1], axis=1)
    return targets | psth_targets(dataset, session, trained, scored, bin_ms)


def _with_nan(counts: Counts) -> Array:
    return np.where(counts == UNSEEN, np.nan, counts).astype(np.float32)


def _produced_intervals(session: Session, selected: BoolArray) -> Array:
    """Behaviour in dmfc_rsg, trials x columns of the trial table; NaN for outlier trials."""
    trials = {name: values[selected] for name, values in session.trials.items()}
    columns = np.stack([trials[name].astype(float) for name in ("is_eye", "theta", "is_short", "ts", "tp")], axis=1)
    columns[trials["is_outlier"] != 0] = np.nan
    return columns
