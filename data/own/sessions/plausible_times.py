"""Detecting times that are implausible as seconds from the start of the session.

NWB stores all times in this unit, but files have them in milliseconds, as sample numbers, on a Unix clock, or relative
to each trial.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.intervals import FloatArray
from nlb_search.data.own.tables.trial_table import Trials
from nlb_search.data.own.wording import listed

_REMEDY = "NWB stores seconds from the start of the session"

_UNIX_S = 1e8
"""No session lasts three years, so later times are on another clock."""

_FEW_TO_TELL = 20
"""At least this many spikes are never all at whole seconds by chance."""

_OTHER_UNIT = 100
"""If the end times of spikes and trials differ by this factor, they are in different units."""
_MS_RATIO = (300.0, 3000.0)
_US_RATIO = (3e5, 3e6)
_SAME_UNIT = (0.1, 10.0)

_MINUTE_RATIO = (50.0, 72.0)
"""Times in minutes end earlier by about this factor."""

_SECONDS_RATIO = (0.5, 2.0)
_SAME_TIMES = 0.999
_SAME_ZERO = 0.05
"""Times proportional to others, with this correlation and a ratio outside these bounds, are in another unit."""

_SHORT_TRIAL_S = 0.1
_VERY_FAST_HZ = 300.0
"""Mean rate of the units, and length of the trials, if all times are in minutes."""

_SLOW_HZ = 0.1
"""Neurons that fire more slowly than this, on average, in a recording that seems much longer than the trials."""
_VERY_SLOW_HZ = 0.03
_LONG_TRIAL_S = 100.0

_FAR_LENGTHS = 3
_MOSTLY = 0.5
"""Events do not belong to their trials if they are further from them than this many lengths of the longest trial, in
this fraction of trials.
"""

_TRIAL_LENGTHS = (0.25, 3)
"""The last of the times that are relative to trials, in lengths of a trial."""


@dataclass(frozen=True)
class _Range:
    """The first and last spike and trial time, the longest trial, and the mean rate of the units."""

    spikes: tuple[float, float]
    trials: tuple[float, float]
    n_trials: int
    usual_s: float
    longest_s: float
    rate_hz: float
    all_integers: bool


def check_trial_times(path: Path, align: str, trials: Trials) -> None:
    """Raises DataError if no two trials differ in time, or if trials stop before they start."""
    rows = np.flatnonzero(trials.wanted)
    aligned = trials.align_s[rows][trials.timed[rows]]
    if len(aligned) > 1 and np.ptp(aligned) == 0:
        raise DataError(
            f"{path}: '{align}' is {aligned[0]:g} s in all {len(aligned)} trials, so it looks relative to each trial: "
            f"add the start of the trial to its times; {_REMEDY}"
        )
    backward = rows[trials.stop_s[rows] < trials.start_s[rows]]
    if len(backward):
        row = backward[0]
        swapped = "are the two columns swapped? " if len(backward) == len(rows) else ""
        raise DataError(
            f"{path}: trials in rows {listed(backward)} of the trial table (from 0) have a stop_time before their "
            f"start_time (row {row}: from {trials.start_s[row]:g} s to {trials.stop_s[row]:g} s): {swapped}correct the "
            "table, or set their split to 'none'"
        )


def check_event_times(path: Path, column: str, times_s: FloatArray, trials: Trials) -> None:
    """Raises DataError if the times of an event in each trial look relative to it (near 0, mostly far from it), or in
    another unit than the start of the trials.
    """
    rows = np.flatnonzero(trials.wanted & np.isfinite(times_s) & np.isfinite(trials.start_s))
    event_s, start_s, stop_s = (values[rows] for values in (times_s, trials.start_s, trials.stop_s))
    if _in_another_unit(event_s, start_s):
        row = int(np.argmax(start_s))
        raise DataError(
            f"{path}: '{column}' and 'start_time' look like the same times in different units (row {rows[row]}: "
            f"{event_s[row]:g} and {start_s[row]:g}): write both in seconds; {_REMEDY}"
        )
    reach_s = _FAR_LENGTHS * float(np.nanmax(stop_s - start_s, initial=0.0))
    far = (event_s < start_s - reach_s) | (event_s > stop_s + reach_s)
    if len(rows) and (np.abs(event_s) <= reach_s).all() and far.mean() > _MOSTLY:
        row = np.flatnonzero(far)[0]
        raise DataError(
            f"{path}: '{column}' is {event_s[row]:g} s in row {rows[row]}, whose trial is from {start_s[row]:g} s to "
            f"{stop_s[row]:g} s, so it looks relative to each trial: add the start of the trial to its times; {_REMEDY}"
        )


def _in_another_unit(times: FloatArray, others: FloatArray) -> bool:
    """Whether the times are proportional to the others, from the same zero, by a factor far from 1."""
    if len(times) <= 2 or not (np.ptp(times) and np.ptp(others)):
        return False
    ratio = np.ptp(times) / np.ptp(others)
    from_zero = abs(times.max() / max(others.max(), 1e-9) / ratio - 1) < _SAME_ZERO
    return (
        from_zero
        and not _between(float(ratio), _SECONDS_RATIO)
        and bool(np.corrcoef(times, others)[0, 1] > _SAME_TIMES)
    )


def check_clock(path: Path, trials: Trials, times_s: FloatArray, n_units: int) -> None:
    """Raises DataError if the spikes, ``times_s``, and the trials do not look like seconds on one clock."""
    rows = np.flatnonzero(trials.wanted & trials.timed)
    if not len(times_s) or not len(rows):
        return
    first_s, last_s = float(times_s.min()), float(times_s.max())
    lengths_s = (trials.stop_s - trials.start_s)[rows]
    lengths_s = lengths_s[np.isfinite(lengths_s)]
    found = _Range(
        spikes=(first_s, last_s),
        trials=(
            float(np.nanmin([trials.start_s[rows], trials.align_s[rows]])),
            float(np.nanmax([trials.stop_s[rows], trials.align_s[rows]])),
        ),
        n_trials=len(rows),
        usual_s=float(np.median(lengths_s)) if len(lengths_s) else 0.0,
        longest_s=float(lengths_s.max(initial=0.0)),
        rate_hz=len(times_s) / n_units / max(last_s - first_s, 1e-9),
        all_integers=_all_integers(times_s),
    )
    for what in _oddities(found):
        raise DataError(f"{path}: {what}; {_REMEDY}")


def check_continuous_clock(path: Path, times_s: FloatArray, n_units: int) -> None:
    """Raises DataError if the spikes of a recording without trials do not look like seconds of a session."""
    first_s, last_s = float(times_s.min()), float(times_s.max())
    spikes, length_s = f"spike times from {first_s:.3g} to {last_s:.3g} s", last_s - first_s
    rate_hz = len(times_s) / n_units / max(length_s, 1e-9)
    what = None
    if first_s >= _UNIX_S:
        what = f"spike times start at {first_s:.6g} s: are they on a Unix clock{_date(first_s)}? subtract the start"
    elif _all_integers(times_s):
        what = f"{spikes}, all integers: are they sample numbers? divide them by the sampling rate"
    elif length_s > _LONG_TRIAL_S and rate_hz < _VERY_SLOW_HZ:
        what = (
            f"{spikes}, and units fire {rate_hz:.2g} spikes/s on average: are they in milliseconds? divide them by 1000"
        )
    if what is not None:
        raise DataError(f"{path}: {what}; {_REMEDY}")


def _all_integers(times_s: FloatArray) -> bool:
    return len(times_s) >= _FEW_TO_TELL and bool(np.ptp(times_s) > 0 and (times_s % 1 == 0).all())


def _oddities(found: _Range) -> Iterator[str]:
    """Descriptions of what is implausible about the times, the most certain first."""
    (first_s, last_s), (begin_s, end_s) = found.spikes, found.trials
    spikes = f"spike times from {first_s:.3g} to {last_s:.3g} s, trials from {begin_s:.3g} to {end_s:.3g} s"
    for name, time_s in (("spike", first_s), ("trial", begin_s)):
        if time_s >= _UNIX_S:
            yield f"{name} times start at {time_s:.6g} s: are they on a Unix clock{_date(time_s)}? subtract the start"
    if found.all_integers:
        yield f"{spikes}, and all spike times are integers: {_unit(last_s / max(end_s, 1e-9))}"
    if last_s > _OTHER_UNIT * end_s > 0 and found.rate_hz < _SLOW_HZ:
        yield f"{spikes}: {_unit(last_s / end_s)}"
    if found.usual_s < _SHORT_TRIAL_S and _between(last_s / max(end_s, 1e-9), _MINUTE_RATIO):
        yield f"{spikes}, which last {found.usual_s:.2g} s: are trial times in minutes? multiply them by 60"
    if found.usual_s < _SHORT_TRIAL_S and found.rate_hz > _VERY_FAST_HZ:
        yield (
            f"trials last {found.usual_s:.2g} s, and units fire {found.rate_hz:.0f} spikes/s on average: are all times "
            "in minutes? multiply them by 60"
        )
    most_s, least_s = _TRIAL_LENGTHS[1] * found.longest_s, _TRIAL_LENGTHS[0] * found.usual_s
    if found.n_trials > 2 and -most_s <= first_s and least_s <= last_s <= most_s and end_s > 5 * last_s:
        minutes = "; or in minutes? multiply them by 60" if _between(end_s / last_s, _MINUTE_RATIO) else ""
        yield f"{spikes}: are spike times relative to each trial? add the start of the trial to each{minutes}"
    if _between(end_s / max(last_s, 1e-9), _MINUTE_RATIO) and found.rate_hz > _VERY_FAST_HZ:
        yield f"{spikes}: are spike times in minutes? multiply them by 60"
    if end_s > _OTHER_UNIT * last_s > 0:
        yield f"{spikes}: are trial times in milliseconds, or sample numbers? divide them by 1000, or the sampling rate"
    if found.usual_s > _LONG_TRIAL_S and found.rate_hz < _VERY_SLOW_HZ:
        yield (
            f"trials last {found.usual_s:.3g} s, and units fire {found.rate_hz:.2g} spikes/s on average: are all times "
            "in milliseconds? divide them by 1000"
        )
    if last_s < begin_s or first_s > end_s:
        yield f"{spikes}: no spike is within the trials; are both on the same clock?"


def _between(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] < value < bounds[1]


def _unit(ratio: float) -> str:
    if _between(ratio, _MS_RATIO):
        return "are they in milliseconds? divide them by 1000"
    if _between(ratio, _US_RATIO):
        return "are they in microseconds? divide them by 1e6"
    if _between(ratio, _SAME_UNIT):
        return "are all times sample numbers, milliseconds or microseconds? divide both by the number per second"
    return "are they sample numbers? divide them by the sampling rate"


def _date(time_s: float) -> str:
    """The date on a Unix clock in seconds, or its finer unit."""
    for unit, scale in (("", 1.0), (" in milliseconds", 1e3), (" in microseconds", 1e6), (" in nanoseconds", 1e9)):
        if time_s / scale < 1e10:
            return f"{unit} ({datetime.fromtimestamp(time_s / scale, UTC):%Y-%m-%d})"
    return ""
