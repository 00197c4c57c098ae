"""An inspected recording as a table for the terminal."""

import numpy as np
from rich.table import Table

from nlb_search.data.inspection.coincidences import MIN_FRACTION, WIDEST_MS
from nlb_search.data.inspection.inspection import Inspection, Rates
from nlb_search.models.architecture.heads import HEADS

_LISTED = 12
"""Maximum number of ranges of units or trials in a row; ``--json`` has all."""

_PARTS = {
    "heldin": "held-in",
    "heldout": "held-out",
    "heldin_forward": "held-in forward",
    "heldout_forward": "held-out forward",
}


def heads_of(found: Inspection) -> list[str]:
    """Names of the heads that can describe the recording's counts."""
    heads = HEADS.values()
    return [head.name for head in heads if head.max_spikes is None or found.largest_count <= head.max_spikes]


def facts(found: Inspection) -> list[tuple[str, str]]:
    """The rows that ``inspect`` prints, as pairs of name and text."""
    return [
        ("recording", f"{found.name}, content {found.content_hash[:12]}"),
        ("neurons", _neurons(found)),
        ("trials", _trials(found)),
        ("bins", _bins(found)),
        ("held-in rates", _rates(found.heldin_hz)),
        ("held-out rates", _rates(found.heldout_hz)),
        ("counts", _counts(found)),
        ("never fire", _never_fire(found)),
        ("pairs", _pairs(found)),
        ("intervals", _intervals(found)),
        ("not seen", _unseen(found)),
        ("behaviour", _behavior(found)),
        ("trial averages", _conditions(found)),
        *_produced(found),
        *_identities(found),
    ]


def report(found: Inspection) -> Table:
    """The facts as a table."""
    table = Table(box=None, show_header=False)
    for row in facts(found):
        table.add_row(*row)
    return table


def _neurons(found: Inspection) -> str:
    n_neurons = found.n_heldin + found.n_heldout
    return (
        f"{found.n_heldin} held-in (0 to {found.n_heldin - 1}), "
        f"{found.n_heldout} held-out ({found.n_heldin} to {n_neurons - 1})"
    )


def _trials(found: Inspection) -> str:
    trials = ", ".join(f"{split.n_trials} {name}" for name, split in found.splits.items())
    return trials if "test" in found.splits else f"{trials}; no test file: only --phase val can be exported"


def _bins(found: Inspection) -> str:
    def length(n_bins: int) -> str:
        return f"{n_bins} ({n_bins * found.bin_ms} ms)"

    forward = f"{length(found.n_forward_bins)} forward" if found.n_forward_bins else "no forward bins, so no fp-bps"
    return f"of {found.bin_ms} ms: {length(found.n_window_bins)} in the window, {forward}"


def _rates(rates: Rates) -> str:
    return (
        f"median {rates.median:.1f} spikes/s, quartiles {rates.lower:.1f} and {rates.upper:.1f}, "
        f"range {rates.least:.1f} to {rates.most:.1f}"
    )


def _counts(found: Inspection) -> str:
    return (
        f"at most {found.largest_count} in a bin, {found.empty_share:.1%} of bins are empty: "
        f"chains can end in {' or '.join(heads_of(found))}"
    )


def _never_fire(found: Inspection) -> str:
    heldout = sum(map(found.is_heldout, found.never_fire))
    return f"{len(found.never_fire) - heldout} held-in, {heldout} held-out; only in val {len(found.silent_in_val)}"


def _pairs(found: Inspection) -> str:
    suspects = found.coincidences.suspects
    shared = f"not computed for bins wider than {WIDEST_MS} ms" if suspects is None else len(suspects)
    same = len(found.coincidences.duplicates)
    return f"same spikes: {same}; {MIN_FRACTION:.0%} of spikes shared beyond chance: {shared}"


def _intervals(found: Inspection) -> str:
    units = found.intervals
    if units is None:
        return "unknown: arrays have no spike times"
    n_spikes = sum(unit.n_spikes for unit in units)
    n_short = sum(unit.short * max(0, unit.n_spikes - 1) for unit in units)
    highest = max((unit.short for unit in units), default=0.0)
    return (
        f"{n_short / max(1, n_spikes):.2%} under 1 ms, at most {highest:.1%} of a unit's; "
        f"spikes with equal times: {sum(unit.repeated for unit in units)}"
    )


def _unseen(found: Inspection) -> str:
    parts = [
        f"{share:.1%} of {_PARTS[part]} bins of {name}"
        for name, split in found.splits.items()
        for part, share in split.unseen.items()
    ]
    return ", ".join(parts) or "no bin"


def _behavior(found: Inspection) -> str:
    behavior = found.behavior
    if behavior is None:
        return "none, so no vel R2"
    shape = " x ".join(map(str, behavior.val_shape))
    names = "trials x bins x dimensions, decoded for vel R2" if behavior.is_series else "trials x columns, for tp corr"
    missing = f"NaN {behavior.train_missing:.1%} of train, {behavior.val_missing:.1%} of val"
    return f"{shape} in val ({names}); {missing}"


def _produced(found: Inspection) -> list[tuple[str, str]]:
    if found.produced is None:
        return []
    of = found.produced
    text = f"{of.least_ms:.0f} to {of.most_ms:.0f} ms in {of.n_trials} trials of val, conditions: {of.n_conditions}"
    return [("produced intervals", text)]


def _conditions(found: Inspection) -> str:
    if found.conditions is None:
        return "none, so no psth R2"
    without = f", {found.conditions.n_without_val} of them without a trial in val" * bool(
        found.conditions.n_without_val
    )
    return f"{found.conditions.n} conditions{without}"


def _identities(found: Inspection) -> list[tuple[str, str]]:
    """The held-out units and the trials of each split, as they are called in the files."""
    known = found.identities
    if known is None:
        return []
    units = ("held-out units", f"{known.units}: {_ranges(known.heldout)}")
    sessions = ", ".join(f"{n_trials} trials of {name}" for name, n_trials in known.sessions.items())
    pooled = [("sessions", f"train and val: {sessions}")] if sessions else []
    return [
        units,
        *pooled,
        *((f"{name} trials", f"{known.rows}: {_ranges(rows)}") for name, rows in known.trials.items()),
    ]


def _ranges(numbers: tuple[int, ...]) -> str:
    """Sorted numbers, with consecutive ones as ranges: 3, 5 to 9, 12."""
    ordered = np.unique(numbers)
    runs = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1)
    texts = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs if len(run)]
    more = f" and {len(texts) - _LISTED} more (--json lists all)" if len(texts) > _LISTED else ""
    return ", ".join(texts[:_LISTED]) + more
