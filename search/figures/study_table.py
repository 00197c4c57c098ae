"""Table of a study's status and its best trial for the terminal."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rich.table import Table

from nlb_search.search.networks.ties import Ties
from nlb_search.search.sampling.spaces.range_types import ARCHITECTURE, settings_to_show
from nlb_search.search.scoring.bootstrap import CONFIDENCE_PERCENT
from nlb_search.search.scoring.metric_names import METRICS, SPREAD, metrics_as_text, spread_as_text
from nlb_search.search.scoring.negative_scores import negative_score_warning
from nlb_search.search.study.specification_text import specification_rows
from nlb_search.search.study.status import StudyStatus
from nlb_search.search.trials.trial_attributes import MEMORY_KEY, VERSION_KEY
from nlb_search.search.trials.trial_scores import SCORE_KEY
from nlb_search.storage.claims.time_used import SECONDS_KEY

_RANGE = ("co_bps_low", "co_bps_high")

_NAMES = {
    ARCHITECTURE: "chain",
    "best_epoch": "best epoch",
    "n_parameters": "parameters",
    MEMORY_KEY: "memory",
    SECONDS_KEY: "training time",
    VERSION_KEY: "nlb-search",
}
"""Names of a trial's user attributes, for people. Settings have the names that spaces and ``--set`` use."""


def report(status: StudyStatus, ties: Ties) -> Table:
    """The table that ``status`` prints below its first line."""
    table = Table(box=None, show_header=False)
    searched = specification_rows(status.spec)
    for name in ("dataset", "objectives", "search"):
        if name in searched:
            table.add_row(name, searched[name])
    if status.best:
        attrs = status.best.attrs
        table.add_row("best trial", str(status.best.number))
        table.add_row("co-bps", f"{status.best.value:.4f}{_range_as_text(attrs)}")
        if spread := spread_as_text(attrs):
            table.add_row("seeds", spread)
        if (warning := negative_score_warning(status.best.value)) is not None:
            table.add_row("warning", warning)
        for metric, value in metrics_as_text(attrs):
            table.add_row(metric, value)
        if status.states["complete"] > 1:
            table.add_row("ties", ties.as_text())
        for name, value in (_facts(attrs, status.spec.epochs) | settings_to_show(status.best.params, attrs)).items():
            table.add_row(_NAMES.get(name, name), f"{value:.4g}" if isinstance(value, float) else str(value))
        if status.expected_gain is not None:
            table.add_row("more trials", _more_trials(status, status.expected_gain))
        if status.best_near_last_epoch:
            table.add_row("training", _longer(status.spec.epochs))
    if status.budget_hours is not None:
        table.add_row("hours", _hours(status, status.budget_hours))
    for row in _chains_as_text(status):
        table.add_row("best of chain", row)
    for at in status.workers:
        score = "" if at.co_bps is None else f", co-bps {at.co_bps:.4f}"
        table.add_row(f"trial {at.trial}", f"{at.worker or 'no worker'}, epoch {at.epoch}{score}")
    if status.waiting:
        table.add_row("waiting", _waiting(status))
    for reason in status.failures:
        table.add_row("failed", reason)
    return table


def _facts(attrs: dict[str, Any], epochs: int) -> dict[str, Any]:
    """Facts about a trial other than its scores and settings, with units."""
    scores = (*METRICS, *_RANGE, *SPREAD, SCORE_KEY)
    facts = {name: value for name, value in attrs.items() if name not in scores}
    written: dict[str, Callable[[Any], str]] = {
        "best_epoch": lambda epoch: f"{epoch} of {epochs}",
        "n_parameters": lambda count: f"{count:,}",
        MEMORY_KEY: lambda megabytes: f"{megabytes / 1000:.1f} GB at the start",
        SECONDS_KEY: lambda seconds: str(timedelta(seconds=round(seconds))),
    }
    return facts | {name: write(facts[name]) for name, write in written.items() if name in facts}


def _hours(status: StudyStatus, budget: float) -> str:
    used = f"{status.hours_used:.2f} of {budget:g} used"
    if not status.is_time_used:
        return f"{used}, {budget - status.hours_used:.2f} left"
    released = status.states["running"]
    trials = f", including the {released} that {'is' if released == 1 else 'are'} not finished" if released else ""
    return (
        f"{used}: the search ends; `nlb-search resume {status.study} --budget-hours {2 * budget:g}` continues its "
        f"trials{trials}"
    )


def _waiting(status: StudyStatus) -> str:
    enqueued = f"{status.waiting} enqueued trial{'s' if status.waiting > 1 else ''}"
    if status.budget_for_waiting <= status.budget:
        return enqueued
    return (
        f"{enqueued}, more than the budget of {status.budget} trials allows: to run all, use "
        f"`nlb-search resume {status.study} --trials {status.budget_for_waiting}`"
    )


def _more_trials(status: StudyStatus, gain: float) -> str:
    until = f": less than --until-flat {status.spec.until_flat:g}, so the search ends" if status.is_flat else ""
    return (
        f"another {status.finished} trials are expected to increase the best co-bps on val by about {gain:.4f}{until}"
    )


def _longer(epochs: int) -> str:
    return (
        f"the best trial improved until the end of its {epochs} epochs: compare it with a new study with longer "
        f"trials, for example --epochs {3 * epochs}"
    )


def _chains_as_text(status: StudyStatus) -> list[str]:
    """The best trial of each chain, if the study has several."""
    if len(status.best_of_chains) < 2:
        return []
    return [
        f"{chain}: no complete trial yet" if best is None else f"{chain}: {best.value:.4f} (trial {best.number})"
        for chain, best in status.best_of_chains.items()
    ]


def _range_as_text(attrs: dict[str, Any]) -> str:
    if not all(name in attrs for name in _RANGE):
        return ""
    low, high = (attrs[name] for name in _RANGE)
    return f" ({CONFIDENCE_PERCENT}% bootstrap interval over val trials: {low:.4f} to {high:.4f})"
