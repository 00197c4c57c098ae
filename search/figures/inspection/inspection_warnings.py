"""Warnings about possible problems of a recording: what is wrong, where, and what to do."""

from collections.abc import Iterable, Iterator

from nlb_search.data.inspection.inspection import Inspection, SplitFacts
from nlb_search.data.inspection.stability import Change

SHOWN = 6
"""Maximum number of neurons, pairs or trials listed in a warning; the others are counted."""
_CHANGE, _DEVIATIONS = 0.2, 4
"""Warn if a mean rate changes by more than this fraction and by more than this number of standard errors."""
_FAST_HZ = 60
"""A median rate above this, in spikes/s, is implausible."""
_FEW_SPIKES = 500
_MISSING = 0.1
_SHORT, _FEW_INTERVALS = 0.01, 5
"""Warn if more than this fraction of a unit's intervals, and at least this many, are under 1 ms."""
_REPEATED = 0.001
"""Warn if more than this fraction of a unit's spikes have the same time as the previous spike."""


def inspection_warnings(found: Inspection) -> list[str]:
    """One line for each finding that may affect a search or its score, the most serious first."""
    return [*_leaks(found), *_neurons(found), *_counts(found), *_units(found), *_time(found), *_scores(found)]


def _leaks(found: Inspection) -> Iterator[str]:
    duplicates, suspects = found.coincidences.duplicates, found.coincidences.suspects or ()
    apart = [pair for pair in duplicates if not found.is_heldout(pair[0]) and found.is_heldout(pair[1])]
    if apart:
        yield (
            "a held-out neuron has exactly the spikes of a held-in neuron: "
            f"{_some(_pair(found, *pair) for pair in apart)}. "
            f"A model can read the target from its input, so co-bps is too high: leave out one neuron of each pair"
        )
    alike = [pair for pair in duplicates if pair not in apart]
    if alike:
        yield (
            f"two neurons have the same spikes: {_some(_pair(found, *pair) for pair in alike)}. "
            f"The same neuron probably counts twice: leave out one neuron of each pair"
        )
    if suspects:
        pairs = (
            f"{_pair(found, one.first, one.second)} ({one.share:.0%} of the spikes of the less active one)"
            for one in suspects
        )
        yield (
            f"pairs of neurons fire in the same bin far more often than one bin apart: {_some(pairs)}. "
            f"Possible crosstalk, or one neuron sorted twice: compare their waveforms, and leave out one of each pair"
        )
    if found.shared_trials:
        yield (
            f"val contains trials that are also in train: {_some(found.shared_trials)} of val. A model can memorize "
            f"them: make a new split"
        )


def _neurons(found: Inspection) -> Iterator[str]:
    if found.never_fire:
        yield (
            f"neurons that never fire in train or val: {_named(found, found.never_fire)}. A model "
            f"cannot learn them: leave them out"
        )
    if found.silent_in_val:
        yield (
            f"neurons that fire in train but never in val: {_named(found, found.silent_in_val)}. Held-out ones "
            f"can only lower co-bps: leave them out if they were lost, or make a new split"
        )
    if found.silences:
        stretches = (
            f"{_neuron(found, one.neuron)} in trials {one.first_trial} to {one.first_trial + one.n_trials - 1}"
            for one in found.silences
        )
        yield (
            f"neurons silent for an improbably long time: {_some(stretches)} of train and val. They may be "
            f"lost, sorted in only one part of the session, or tuned in a block design: check "
            f"their amplitude over time, and leave out lost ones"
        )


def _counts(found: Inspection) -> Iterator[str]:
    if found.multiples:
        steps = (f"{one.step} for {_neuron(found, one.neuron)}" for one in found.multiples)
        yield (
            f"all counts of a neuron are multiples of one number: {_some(steps)}. They may be rates in spikes/s, or "
            f"each spike may be stored several times: give counts, in spikes per bin"
        )
    if found.fast:
        rates = (f"{one.rate_hz:.0f} spikes/s of {_neuron(found, one.neuron)}" for one in found.fast)
        yield (
            f"implausibly high mean rates: {_some(rates)}. These neurons may be several units on one channel, or the "
            f"values may be rates instead of counts: check the spike sorting and --bin-size"
        )
    if found.crowded:
        counts = (f"{one.count} of {_neuron(found, one.neuron)}" for one in found.crowded)
        yield (
            f"more spikes in one bin of {found.bin_ms} ms than one neuron can fire: {_some(counts)}. Possible "
            f"artifacts, several units on one channel, or a wrong bin width: check the spike sorting and --bin-size"
        )
    if found.heldin_hz.median > _FAST_HZ:
        yield (
            f"half of the held-in neurons fire more than {found.heldin_hz.median:.0f} spikes/s, faster than in most "
            f"cortical areas: check that bins really are {found.bin_ms} ms wide, and that counts are not rates"
        )


def _units(found: Inspection) -> Iterator[str]:
    units = found.intervals or ()
    repeated = [unit for unit in units if unit.repeated > _REPEATED * unit.n_spikes]
    if repeated:
        counts = (f"{unit.repeated} of {unit.n_spikes} spikes of unit {unit.unit}" for unit in repeated)
        yield (
            f"spikes have the same time as the previous spike: {_some(counts)}. The same spikes are probably stored "
            f"twice: remove the copies"
        )
    short = [unit for unit in units if unit.short > _SHORT and unit.short * unit.n_spikes >= _FEW_INTERVALS]
    if short:
        shares = (f"{unit.short:.1%} of unit {unit.unit}" for unit in short)
        yield (
            f"intervals between spikes are under 1 ms, shorter than a neuron's refractory period: {_some(shares)}. "
            f"The units probably mix several neurons: check the spike sorting, or leave them out"
        )


def _time(found: Inspection) -> Iterator[str]:
    if found.synchronous:
        yield (
            f"bins in which most neurons fire at once: {sum(found.synchronous.values())}, in trials "
            f"{_some(found.synchronous)} of train and val. Possible artifact on all channels, from movement or "
            f"stimulation: blank it, or leave out the trials"
        )
    for name, split in found.splits.items():
        if split.silent:
            yield (
                f"{name} has trials without any spike: {_some(split.silent)}. They may be missing, or cut at the wrong "
                f"time: leave them out"
            )
        yield from _unseen(name, split)
    drift = found.drift
    if drift and _is_large(drift):
        yield (
            f"the mean rate of held-in neurons drifts from {drift.before_hz:.1f} to {drift.after_hz:.1f} spikes/s "
            f"between the first and the last fifth of the trials: draw splits from the whole session, or leave out "
            f"the part that differs"
        )
    for name, other in found.sessions.items():
        if _is_large(other):
            yield (
                f"held-in neurons fire {other.after_hz:.1f} spikes/s in {name} and {other.before_hz:.1f} in the "
                f"first session: units may have been lost or are not the same; leave out such units or the session"
            )
    for name, split in found.splits.items():
        change = split.change
        if change and _is_large(change):
            yield (
                f"held-in neurons fire {change.after_hz:.1f} spikes/s in {name} and {change.before_hz:.1f} in train: "
                f"a model trained on train may not fit {name}; check how trials were split"
            )


def _is_large(change: Change) -> bool:
    return abs(change.share) > _CHANGE and change.deviations > _DEVIATIONS


def _unseen(name: str, split: SplitFacts) -> Iterator[str]:
    # Held-out bins may be left unscored on purpose, as in dmfc_rsg: they are only in the table.
    share = split.unseen.get("heldin")
    if share:
        yield (
            f"{share:.1%} of the held-in bins of {name} were not recorded, and models see no spikes there; "
            f"leave out trials that extend into gaps"
        )


def _scores(found: Inspection) -> Iterator[str]:
    if found.heldout_spikes_in_val < _FEW_SPIKES:
        yield (
            f"held-out neurons fire only {found.heldout_spikes_in_val} spikes in val: co-bps is noisy, and the best "
            f"trial may be best by luck; use more val trials, or select with `nlb-search rescore`"
        )
    if found.dominant is not None:
        yield (
            f"{found.dominant.share:.0%} of the held-out spikes of val are those of "
            f"{_neuron(found, found.dominant.neuron)}: co-bps is mostly the score of this neuron; hold out more "
            f"neurons, or others"
        )
    behavior = found.behavior
    if behavior and max(behavior.train_missing, behavior.val_missing) > _MISSING:
        yield (
            f"behaviour is missing (NaN) for {behavior.train_missing:.0%} of train and {behavior.val_missing:.0%} of "
            f"val, and is not scored there; check the time series for gaps"
        )
    if behavior and behavior.constant:
        yield (
            f"behaviour is constant in {_some(behavior.constant)} of its {behavior.train_shape[-1]} columns (from 0), "
            f"so decoding them is meaningless; check which time series was selected"
        )


def _neuron(found: Inspection, neuron: int) -> str:
    kind = "held-out" if found.is_heldout(neuron) else "held-in"
    unit = found.unit_of(neuron)
    return f"{neuron} ({kind})" if unit is None else f"{neuron} ({kind}, unit {unit})"


def _pair(found: Inspection, one: int, other: int) -> str:
    return f"{_neuron(found, one)} and {_neuron(found, other)}"


def _named(found: Inspection, neurons: tuple[int, ...]) -> str:
    return _some(_neuron(found, neuron) for neuron in neurons)


def _some(items: Iterable[object]) -> str:
    texts = [str(item) for item in items]
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
