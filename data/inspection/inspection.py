"""Inspecting a recording: sizes, rates, gaps, and neurons or trials that may be artefacts."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nlb_search.data.inspection.coincidences import Coincidences, coincidences
from nlb_search.data.inspection.count_sums import CountSums, Integers
from nlb_search.data.inspection.count_values import Multiple, multiples
from nlb_search.data.inspection.identities import Identities
from nlb_search.data.inspection.scored_targets import Behavior, Conditions, Produced, read_scored
from nlb_search.data.inspection.spike_intervals import UnitIntervals
from nlb_search.data.inspection.stability import Change, Silence, change, drift, session_changes, silences
from nlb_search.data.inspection.survey import Floats, Survey
from nlb_search.data.recording import UNSEEN, Split

_PARTS = ("heldin", "heldout", "heldin_forward", "heldout_forward")
_MAX_PER_MS = 2
_MAX_HZ = 250
"""A neuron with a higher mean rate, in spikes/s, is reported."""
_MOST = 0.5


@dataclass(frozen=True)
class Rates:
    """Minimum, quartiles and maximum of neurons' mean rates over train and val, in spikes per second."""

    least: float
    lower: float
    median: float
    upper: float
    most: float


@dataclass(frozen=True)
class SplitFacts:
    """Statistics of one split.

    ``mean_hz`` is the mean rate of held-in neurons in the window, in spikes per second, and ``change`` compares it with
    that of train (None for train itself). ``silent`` has the trials, counted from 0, in which no neuron fires.
    ``unseen`` maps parts (``heldin``, ``heldout``, ``heldin_forward`` ...) to the fraction of their bins that were not
    recorded or are not scored; parts without such bins are left out.
    """

    n_trials: int
    mean_hz: float
    change: Change | None
    silent: tuple[int, ...]
    unseen: dict[str, float]


@dataclass(frozen=True)
class Crowded:
    """A neuron with more spikes in one bin than is plausible: more than two per millisecond."""

    neuron: int
    count: int


@dataclass(frozen=True)
class Fast:
    """A neuron with a higher mean rate over train and val, in spikes per second, than neurons have."""

    neuron: int
    rate_hz: float


@dataclass(frozen=True)
class Dominant:
    """The neuron with most of the held-out spikes of val, and its fraction of them."""

    neuron: int
    share: float


@dataclass(frozen=True)
class Inspection:
    """Statistics of a recording. Neurons are numbered from 0, held-in first, then held-out.

    ``never_fire`` has the neurons without spikes in train and val, and ``silent_in_val`` those without spikes in val
    only. ``heldout_spikes_in_val`` is the number of spikes on which co-bps is scored. ``synchronous`` maps trials of
    train and val to the number of bins in which at least half of the neurons fire although few fire on average.
    ``multiples`` has the neurons of which all counts are multiples of a number above 1. ``dominant`` is None unless one
    of several held-out neurons has more than half of ``heldout_spikes_in_val``. ``intervals`` describes the intervals
    between the spikes of each unit of an NWB file; it is None for arrays, which have no spike times. ``sessions``
    compares each session but the first with the first, if several are pooled. ``identities`` has
    the ids of the neurons and the rows of the trials in the files.
    """

    name: str
    bin_ms: int
    content_hash: str
    n_heldin: int
    n_heldout: int
    n_window_bins: int
    n_forward_bins: int
    splits: dict[str, SplitFacts]
    heldin_hz: Rates
    heldout_hz: Rates
    never_fire: tuple[int, ...]
    silent_in_val: tuple[int, ...]
    heldout_spikes_in_val: int
    largest_count: int
    crowded: tuple[Crowded, ...]
    fast: tuple[Fast, ...]
    multiples: tuple[Multiple, ...]
    dominant: Dominant | None
    intervals: tuple[UnitIntervals, ...] | None
    empty_share: float
    coincidences: Coincidences
    synchronous: dict[int, int]
    drift: Change | None
    sessions: dict[str, Change]
    silences: tuple[Silence, ...]
    shared_trials: tuple[int, ...]
    behavior: Behavior | None
    conditions: Conditions | None
    produced: Produced | None
    identities: Identities | None

    def is_heldout(self, neuron: int) -> bool:
        return neuron >= self.n_heldin

    def unit_of(self, neuron: int) -> int | None:
        """The neuron's id in the unit table of an NWB file, or None for arrays."""
        known = self.identities
        if known is None or known.units != "ids of the unit table":
            return None
        return (known.heldin + known.heldout)[neuron]

    def as_json(self) -> dict[str, Any]:
        """The object that ``inspect --json`` prints, without the part about searches."""
        return asdict(self)


def inspection_of(
    survey: Survey, intervals: tuple[UnitIntervals, ...] | None = None, identities: Identities | None = None
) -> Inspection:
    """Inspect a recording. ``intervals`` and ``identities`` come from its file: the tensors do not have them.

    Raises DataError if its file of targets cannot be read.
    """
    recording, train, val = survey.recording, survey.train, survey.val
    scored = read_scored(recording)
    rates_N = survey.rates_N
    fires_in_train, fires_in_val = train.spikes_N > 0, val.spikes_N > 0
    most_N = np.maximum(survey.train_val.most_BN.max(axis=0), val.most_BN.max(axis=0))
    empty = sum(int(one.heldin_histogram[0] + one.heldout_histogram[0]) for one in (train, val))
    return Inspection(
        name=recording.name,
        bin_ms=recording.bin_ms,
        content_hash=recording.content_hash,
        n_heldin=recording.n_heldin,
        n_heldout=recording.n_heldout,
        n_window_bins=recording.n_window_bins,
        n_forward_bins=recording.n_forward_bins,
        splits=_splits(survey),
        heldin_hz=_quartiles(rates_N[: recording.n_heldin]),
        heldout_hz=_quartiles(rates_N[recording.n_heldin :]),
        never_fire=_numbers(~fires_in_train & ~fires_in_val),
        silent_in_val=_numbers(fires_in_train & ~fires_in_val),
        heldout_spikes_in_val=_scored_spikes(recording.val),
        largest_count=int(most_N.max()),
        crowded=tuple(
            Crowded(neuron, int(most_N[neuron])) for neuron in _numbers(most_N > _MAX_PER_MS * recording.bin_ms)
        ),
        fast=tuple(Fast(neuron, float(rates_N[neuron])) for neuron in _numbers(rates_N > _MAX_HZ)),
        multiples=multiples([recording.train.counts, recording.val.counts]),
        dominant=_dominant(recording.val),
        intervals=intervals,
        empty_share=empty / max(1, int(train.seen_N.sum() + val.seen_N.sum())),
        coincidences=coincidences(recording.train.counts, recording.bin_ms),
        synchronous=_synchronous(survey.train_val),
        drift=drift(survey.rates_B(survey.train_val)),
        sessions=session_changes(survey.rates_B(survey.train_val), identities.sessions)
        if identities and identities.sessions
        else {},
        silences=silences(survey.train_val.spikes_BN, survey.train_val.seen_BN),
        shared_trials=survey.order.shared,
        behavior=scored.behavior,
        conditions=scored.conditions,
        produced=scored.produced,
        identities=identities,
    )


def _splits(survey: Survey) -> dict[str, SplitFacts]:
    recording, train_B = survey.recording, survey.rates_B(survey.train)
    splits = {"train": recording.train, "val": recording.val, "test": recording.test}
    facts = {}
    for name, sums in survey.splits.items():
        rates_B = survey.rates_B(sums)
        facts[name] = SplitFacts(
            n_trials=sums.n_trials,
            mean_hz=float(np.nanmean(rates_B)) if (~np.isnan(rates_B)).any() else float("nan"),
            change=None if sums is survey.train else change(train_B, rates_B),
            silent=_numbers((sums.spikes_BN.sum(axis=1) == 0) & (sums.seen_BN.sum(axis=1) > 0)),
            unseen=_unseen(splits[name]),
        )
    return facts


def _unseen(split: Split | None) -> dict[str, float]:
    parts = {name: getattr(split, name) for name in _PARTS}
    shares = {name: float((part == UNSEEN).mean()) for name, part in parts.items() if part is not None and part.size}
    return {name: share for name, share in shares.items() if share}


def _scored_spikes(val: Split) -> int:
    return int(_scored_spikes_N(val).sum())


def _scored_spikes_N(val: Split) -> Integers:
    """The spikes of each held-out neuron on which co-bps is scored."""
    heldout_BTN = val.heldout
    assert heldout_BTN is not None  # val has targets
    spikes_N: Integers = heldout_BTN.sum(axis=(0, 1), dtype=np.int64, where=heldout_BTN != UNSEEN)
    return spikes_N


def _dominant(val: Split) -> Dominant | None:
    spikes_N = _scored_spikes_N(val)
    if len(spikes_N) < 2 or spikes_N.max() <= _MOST * spikes_N.sum():
        return None
    most = int(spikes_N.argmax())
    return Dominant(val.n_heldin + most, float(spikes_N[most] / spikes_N.sum()))


def _quartiles(rates_N: Floats) -> Rates:
    seen_N = rates_N[~np.isnan(rates_N)]
    return Rates(*np.percentile(seen_N if seen_N.size else [np.nan], [0, 25, 50, 75, 100]).tolist())


def _synchronous(sums: CountSums) -> dict[int, int]:
    """Number of bins, by trial, in which at least half of the neurons fire, and significantly more than on average.

    Significant means eight standard deviations above the mean, if neurons fire independently.
    """
    n_neurons, mean = sums.spikes_BN.shape[1], float(sums.firing_BT.mean())
    bins_B = (sums.firing_BT >= max(n_neurons / 2, mean + 8 * np.sqrt(mean))).sum(axis=1)
    return {trial: int(bins_B[trial]) for trial in _numbers(bins_B > 0)}


def _numbers(selected: Any) -> tuple[int, ...]:
    return tuple(np.flatnonzero(selected).tolist())
