"""Charts of how a search works: when trials end, what workers do, and how much val overestimates the best trial."""

import math
from collections.abc import Sequence

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from nlb_search.search.charts.chart import BLACK, BLUE, GREY, PALETTE, VERMILLION, Chart, Panel, Series, single
from nlb_search.search.networks.saved_networks import load_gains
from nlb_search.search.scoring.selection_bias import selection_bias
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.removed_networks import removed_networks
from nlb_search.storage.claims.owner import OWNER_KEY, Owner

FEWEST_TRIALS = 4
"""Number of complete trials below which the selection bias is not estimated."""

_STATES = {TrialState.COMPLETE: BLUE, TrialState.PRUNED: GREY, TrialState.FAIL: VERMILLION, TrialState.RUNNING: BLACK}


def pruning_depth(study: OpenStudy, finished: Sequence[FrozenTrial]) -> Chart:
    """The fraction of each chain's finished trials that trained at least this many epochs."""
    chains, last = study.spec.architectures, study.spec.epochs
    series = []
    for number, chain in enumerate(chains):
        ends = sorted(trial.last_step or 0 for trial in finished if study.spec.architecture_of(trial.params) == chain)
        if ends:
            epochs = [0, *ends, last]
            shares = [100 * sum(end > epoch for end in ends) / len(ends) for epoch in epochs]
            name = f"{chain} ({len(ends)} trials)"
            series.append(Series("step", epochs, shares, name, PALETTE[number % len(PALETTE)], 2))
    trained, most = sum(trial.last_step or 0 for trial in finished), last * len(finished)
    saved = "pruning and early stopping saved the rest" if trained < most else "no trial was pruned or stopped early"
    note = f"{trained} of {most} epochs were trained: {saved}"
    panel = Panel(tuple(series), "", "epoch", "trials that train longer (%)")
    return single("pruning", f"{study.name}: when trials end", panel, note)


def workers_over_time(study: OpenStudy) -> Chart:
    """The trials of each worker over time, by state. A trial that several workers ran is shown with the last one."""
    trials = [trial for trial in study.study.get_trials(deepcopy=False) if trial.datetime_start is not None]
    held = [(str(owner), trial) for trial in trials if (owner := Owner.from_attribute(trial.user_attrs.get(OWNER_KEY)))]
    began = min((_seconds(trial)[0] for trial in trials), default=0.0)
    now = max((end for trial in trials for end in _seconds(trial) if math.isfinite(end)), default=0.0)
    workers = tuple(dict.fromkeys(name for name, _ in held))
    series = []
    for state, color in _STATES.items():
        x: list[float] = []
        y: list[float] = []
        for name, trial in held:
            if trial.state == state:
                start, end = _seconds(trial)
                x += [(start - began) / 60, (min(end, now) - began) / 60, (min(end, now) - began) / 60]
                y += [workers.index(name), workers.index(name), math.nan]
        if x:
            series.append(Series("line", x, y, state.name.lower().replace("fail", "failed"), color, 7))
    starts = [(_seconds(trial)[0] - began) / 60 for _, trial in held]
    series.append(Series("events", starts, [workers.index(name) for name, _ in held], "start of a trial", BLACK, 1.5))
    panel = Panel(
        tuple(series), "", "time since the first trial (minutes)", "worker (host:process)", categories=workers
    )
    return single("workers", f"{study.name}: workers over time", panel)


def val_overestimates(study: OpenStudy) -> Chart | None:
    """co-bps of the best of n complete trials, on the val trials that select it and on others; None for few trials.

    Raises SearchError or StorageError if a checkpoint cannot be read.
    """
    removed = removed_networks(study)
    complete = study.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    gains = [load_gains(study, trial) for trial in complete if trial.number not in removed]
    if len(gains) < FEWEST_TRIALS:
        return None
    bias = selection_bias(np.stack([gain_B for gain_B, _ in gains]), gains[0][1])
    trials = list(range(1, len(gains) + 1))
    series = (
        Series("line", trials, bias.selected.tolist(), "on the val trials that select it", VERMILLION, 2),
        Series("line", trials, bias.left_out.tolist(), "on other val trials", BLUE, 2),
    )
    note = (
        f"Of {len(gains)} trials, val overestimates the best by {bias.selected[-1] - bias.left_out[-1]:.4f}, "
        "without the choice of the epoch"
    )
    panel = Panel(series, "", "number of complete trials searched", "co-bps of the best trial")
    return single("selection-bias", f"{study.name}: how much val overestimates the best trial", panel, note)


def _seconds(trial: FrozenTrial) -> tuple[float, float]:
    """When a trial started and ended; infinity if it is running."""
    assert trial.datetime_start is not None
    ended = trial.datetime_complete
    return trial.datetime_start.timestamp(), math.inf if ended is None else ended.timestamp()
