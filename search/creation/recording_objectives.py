"""Whether a recording has the targets of a search's objectives."""

from collections.abc import Sequence

import h5py

from nlb_search.data.recording import Recording
from nlb_search.search.errors import SearchError
from nlb_search.search.objectives import ObjectiveName

_NEEDS: dict[ObjectiveName, str] = {
    "fp-bps": "forward bins",
    "vel-r2": "velocity or other behaviour in every bin",
    "psth-r2": "trial averages of conditions",
    "tp-corr": "produced intervals",
}


def check_objectives(objectives: Sequence[ObjectiveName], recording: Recording) -> None:
    """Raise SearchError if an objective cannot be computed on the val split of the recording."""
    possible = _possible(recording)
    for objective in objectives:
        if objective in _NEEDS and objective not in possible:
            raise SearchError(
                f"--objective {objective} needs {_NEEDS[objective]}, and {recording.name} has none: remove it, or see "
                "docs/recordings.md for what a recording can contain"
            )


def _possible(recording: Recording) -> set[ObjectiveName]:
    """The objectives with targets."""
    found: set[ObjectiveName] = {"fp-bps"} if recording.n_forward_bins else set()
    with h5py.File(recording.val_targets, "r") as file:
        group = file[recording.group]
        if "eval_behavior" in group:
            found.add("vel-r2" if group["eval_behavior"].ndim == 3 else "tp-corr")
        if "eval_intervals" in group:  # a timing task of your own recording
            found.add("tp-corr")
        if "psth" in group and any(len(trials) for trials in group["eval_cond_idx"]):
            found.add("psth-r2")
    return found
