"""Trial averages of smoothed spikes (PSTHs), as nlb_tools makes them for its targets, in less time and memory.

nlb_tools' own routine reads the file a second time, smooths all of it at once (36 bytes for each neuron and
millisecond: some 50 GB for mc_maze), and does so in a process pool that may never end where the calling process
handles SIGTERM, as a search's worker does. Here one neuron is smoothed at a time.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from nlb_tools.make_tensors import PARAMS, _prep_jitter
from scipy import signal

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Condition:
    """Trials that are averaged together."""

    rows: Array
    """The trials, as rows of the trial table."""
    bins: Array
    """Every bin of the recording that is averaged."""
    places: Array
    """For each of ``bins``, the bin of the average that it counts in; negative ones count from the end."""
    n_bins: int


def psth_targets(
    nwb: Any, milliseconds: pd.DataFrame, name: str, train: "pd.Series[bool]", evaluated: "pd.Series[bool]"
) -> dict[str, Array]:
    """What ``make_eval_target_tensors(nwb, name, train, evaluated, include_psth=True)`` gives for trial averages.

    ``nwb`` is the NWBDataset in the bins that are wanted, ``milliseconds`` its data before it was resampled;
    ``train`` and ``evaluated`` tell which trials of its table are trained on and which are scored.
    Gives ``psth`` (conditions x bins x neurons, held-in neurons first; spikes per bin; NaN beyond a condition's
    shortest trial); for each condition, which of the trained and of the evaluated trials are in it
    (``train_cond_idx``, ``eval_cond_idx``); and for dmfc_rsg how many bins each trial's window is late
    (``train_jitter``, ``eval_jitter``). Gives nothing where trials do not repeat: for mc_rtt, and without
    conditions in the trial table.
    """
    params = PARAMS[name].get("psth_params")
    conditions = _conditions(nwb, params, train | evaluated) if params else []
    if not conditions:
        return {}
    n_bins = max(condition.n_bins for condition in conditions)
    if "seg_len" in params:
        n_bins = params["seg_len"] // nwb.bin_width
    neurons = milliseconds[["spikes", "heldout_spikes"]].columns
    kernel = signal.windows.gaussian(6 * params["kern_sd"], params["kern_sd"])
    psth = np.empty((len(conditions), n_bins, len(neurons)))
    for column, neuron in enumerate(neurons):
        rates = _binned(_smoothed(milliseconds[neuron].to_numpy(float), kernel / kernel.sum()), nwb.bin_width)
        for row, condition in enumerate(conditions):
            psth[row, :, column] = _average(rates[condition.bins], condition.places, n_bins)
    targets = {"psth": psth}
    for prefix, selected in (("train", train), ("eval", evaluated)):
        targets[f"{prefix}_cond_idx"] = _members(conditions, selected)
        if "jitter" in PARAMS[name]:
            targets[f"{prefix}_jitter"] = _jitter(nwb, name, selected)
    return targets


def _conditions(nwb: Any, params: dict[str, Any], included: "pd.Series[bool]") -> list[_Condition]:
    """The conditions that included trials have, in the order of their values."""
    values = nwb.trial_info[params["cond_fields"]]
    averaged = included & ~params["skip_mask"](nwb.trial_info) if "skip_mask" in params else included
    # nlb_tools itself cuts the trials, of one column that holds each bin's number.
    probe = copy.copy(nwb)
    probe.data = pd.DataFrame({("bin", "0"): np.arange(len(nwb.data))}, index=nwb.data.index)
    conditions = []
    for condition in sorted(set(values[included].dropna().itertuples(index=False, name=None))):
        chosen = averaged & (values == condition).all(axis=1)
        if chosen.any():
            cut = probe.make_trial_data(ignored_trials=~chosen, allow_nans=True, **params["make_params"])
            conditions.append(_condition(cut, params.get("pad", "back")))
    return conditions


def _condition(cut: pd.DataFrame, pad: str) -> _Condition:
    """One condition from its trials' bins, without trials much shorter than the rest, as long as the shortest.

    ``pad`` is the side that shorter trials lack: 'front' where they end together, else 'back'.
    """
    lengths = cut.groupby("trial_id").size()
    lengths = lengths[lengths >= 0.8 * lengths.mean()]
    cut = cut[cut["trial_id"].isin(lengths.index)]
    steps, times = pd.factorize(cut["align_time"], sort=True)
    n_bins = int(lengths.min())
    places = steps - len(times) if pad == "front" else steps
    kept = (-n_bins <= places) & (places < n_bins)
    return _Condition(lengths.index.to_numpy(), cut["bin"].to_numpy(int).ravel()[kept], places[kept], n_bins)


def _smoothed(counts: Array, kernel: Array) -> Array:
    """Each observed stretch by itself, with nothing before and after it; NaN where not observed."""
    smooth = np.full(counts.shape, np.nan)
    edges = np.flatnonzero(np.diff(~np.isnan(counts), prepend=False, append=False))
    for start, stop in edges.reshape(-1, 2):
        smooth[start:stop] = signal.oaconvolve(counts[start:stop], kernel, mode="same")
    # The convolution by Fourier transform leaves tiny negative rates.
    smooth[smooth < 0] = 0
    return smooth


def _binned(rates: Array, factor: int) -> Array:
    """Sums over ``factor`` milliseconds; a bin is NaN if its first millisecond is, as in nlb_tools."""
    padded = np.append(rates, np.zeros(-len(rates) % factor)).reshape(-1, factor)
    binned: Array = np.where(np.isnan(padded[:, 0]), np.nan, np.nansum(padded, axis=1))
    return binned


def _average(rates: Array, places: Array, n_bins: int) -> Array:
    used = ~np.isnan(rates) & (-n_bins <= places) & (places < n_bins)
    places = places[used] % n_bins
    counts = np.bincount(places, minlength=n_bins)
    sums = np.bincount(places, weights=rates[used], minlength=n_bins)
    average: Array = np.divide(sums, counts, out=np.full(n_bins, np.nan), where=counts > 0)
    return average


def _members(conditions: list[_Condition], selected: "pd.Series[bool]") -> Array:
    """For each condition, its trials' numbers among the selected ones: an array of arrays."""
    rows = np.flatnonzero(selected)
    members = np.empty(len(conditions), dtype=object)
    for number, condition in enumerate(conditions):
        members[number] = np.flatnonzero(np.isin(rows, condition.rows))
    return members


def _jitter(nwb: Any, name: str, selected: "pd.Series[bool]") -> Array:
    # The same seed and draws as when nlb_tools cut the windows.
    np.random.seed(0)
    jitter_ms = _prep_jitter(nwb, selected, PARAMS[name]["jitter"])
    jitter: Array = (jitter_ms / nwb.bin_width).round().astype(int)
    return jitter
