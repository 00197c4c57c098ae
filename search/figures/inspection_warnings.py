"""Possible problems of a recording, found before a search: what is wrong, where, and what to do."""

from collections.abc import Iterable, Iterator

from nlb_search.data.inspection.findings import Inspection, SplitFacts

SHOWN = 6
"""So many neurons, pairs or trials are named; of more, how many there are."""
_CHANGE, _DEVIATIONS = 0.2, 4
"""A mean rate that changes by this share, and by so many standard errors, is told."""
_FAST_HZ = 60
"""Half of the neurons of a recording hardly fire faster than this."""
_FEW_SPIKES = 500
_MISSING = 0.1


def inspection_warnings(found: Inspection) -> list[str]:
    """A line for each finding that may spoil a search or its score, the worst first."""
    return [*_leaks(found), *_neurons(found), *_time(found), *_scores(found)]


def _leaks(found: Inspection) -> Iterator[str]:
    duplicates, suspects = found.coincidences.duplicates, found.coincidences.suspects or ()
    apart = [pair for pair in duplicates if not found.is_heldout(pair[0]) and found.is_heldout(pair[1])]
    if apart:
        yield (
            "a held-out neuron has exactly the spikes of a held-in neuron: "
            f"{_some(_pair(found, *pair) for pair in apart)}. "
            f"A model reads the answer, and co-bps is flattered: leave out one neuron of each pair"
        )
    alike = [pair for pair in duplicates if pair not in apart]
    if alike:
        yield (
            f"two neurons have the same spikes: {_some(_pair(found, *pair) for pair in alike)}. "
            f"One neuron counts twice: leave out one neuron of each pair"
        )
    if suspects:
        pairs = (f"{_pair(found, one.first, one.second)} ({one.share:.0%} of the rarer one's)" for one in suspects)
        yield (
            f"neurons fire in the same bin far more often than one bin apart: {_some(pairs)}. "
            f"Crosstalk, or one neuron sorted twice: compare their waveforms, and leave one of each "
            f"pair out"
        )
    if found.shared_trials:
        yield (
            f"val has trials that train has too: {_some(found.shared_trials)} of val. Their score is learned by heart: "
            f"split again"
        )


def _neurons(found: Inspection) -> Iterator[str]:
    if found.never_fire:
        yield (
            f"neurons that never fire in train or val: {_named(found, found.never_fire)}. Nothing can be "
            f"learned of them: leave them out"
        )
    if found.silent_in_val:
        yield (
            f"neurons that fire in train, never in val: {_named(found, found.silent_in_val)}. Held-out ones "
            f"can only lower co-bps: leave them out if they were lost, or split otherwise"
        )
    if found.silences:
        stretches = (
            f"{_neuron(found, one.neuron)} in trials {one.first_trial} to {one.first_trial + one.n_trials - 1}"
            for one in found.silences
        )
        yield (
            f"neurons silent for longer than chance allows: {_some(stretches)} of train and val. Lost, "
            f"sorted in one part alone, or tuned in a block design: look at their amplitude over time, and leave lost "
            f"ones out"
        )
    if found.crowded:
        counts = (f"{one.count} of {_neuron(found, one.neuron)}" for one in found.crowded)
        yield (
            f"more spikes in one bin of {found.bin_ms} ms than one neuron can fire: {_some(counts)}. Artifacts, many "
            f"units on one channel, or another bin width than was said: check both"
        )
    if found.heldin_hz.median > _FAST_HZ:
        yield (
            f"half of the held-in neurons fire more than {found.heldin_hz.median:.0f} spikes/s, faster than most "
            f"cortex: check that bins really are {found.bin_ms} ms wide, and that counts are not rates"
        )


def _time(found: Inspection) -> Iterator[str]:
    if found.synchronous:
        yield (
            f"bins in which most neurons fire at once: {sum(found.synchronous.values())}, in trials "
            f"{_some(found.synchronous)} of train and val. Movement, stimulation or another artifact that all channels "
            f"share: blank it, or leave the trials out"
        )
    for name, split in found.splits.items():
        if split.silent:
            yield (
                f"{name} has trials without any spike: {_some(split.silent)}. Not recorded, or cut at the wrong time: "
                f"leave them out"
            )
        yield from _unseen(name, split)
    drift = found.drift
    if drift and abs(drift.share) > _CHANGE and drift.deviations > _DEVIATIONS:
        yield (
            f"the mean rate of held-in neurons drifts from {drift.before_hz:.1f} to {drift.after_hz:.1f} spikes/s "
            f"between the first and the last fifth of the trials: draw splits from all of the session, or leave out "
            f"the part that differs"
        )
    for name, split in found.splits.items():
        change = split.change
        if change and abs(change.share) > _CHANGE and change.deviations > _DEVIATIONS:
            yield (
                f"held-in neurons fire {change.after_hz:.1f} spikes/s in {name} and {change.before_hz:.1f} in train: "
                f"what is learned from one may not hold in the other; check how trials were split"
            )


def _unseen(name: str, split: SplitFacts) -> Iterator[str]:
    # Held-out bins that are not scored may be so on purpose, as in dmfc_rsg: the table says them.
    share = split.unseen.get("heldin")
    if share:
        yield (
            f"{share:.1%} of the held-in bins of {name} were not recorded: models read them as silence; leave trials "
            f"out that reach into such time"
        )


def _scores(found: Inspection) -> Iterator[str]:
    if found.heldout_spikes_in_val < _FEW_SPIKES:
        yield (
            f"held-out neurons fire {found.heldout_spikes_in_val} spikes in all of val: co-bps is coarse, and its best "
            f"trial may be best by luck; give val more trials, or choose with `nlb-search rescore`"
        )
    behavior = found.behavior
    if behavior and max(behavior.train_missing, behavior.val_missing) > _MISSING:
        yield (
            f"behaviour is missing (NaN) for {behavior.train_missing:.0%} of train and {behavior.val_missing:.0%} of "
            f"val: what is decoded is scored without it; check the time series for gaps"
        )
    if behavior and behavior.constant:
        yield (
            f"behaviour never changes in {_some(behavior.constant)} of its {behavior.train_shape[-1]} columns (from "
            f"0): decoding them says nothing; check which time series was named"
        )


def _neuron(found: Inspection, neuron: int) -> str:
    return f"{neuron} ({'held-out' if found.is_heldout(neuron) else 'held-in'})"


def _pair(found: Inspection, one: int, other: int) -> str:
    return f"{_neuron(found, one)} and {_neuron(found, other)}"


def _named(found: Inspection, neurons: tuple[int, ...]) -> str:
    return _some(_neuron(found, neuron) for neuron in neurons)


def _some(items: Iterable[object]) -> str:
    words = [str(item) for item in items]
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more
