"""Selects the trials of a study for a submission."""

from dataclasses import dataclass
from typing import Literal

from optuna.trial import FrozenTrial

from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.export_options import AUTO, Judge, Phases
from nlb_search.search.rescoring.rescoring import ranked_by_splits
from nlb_search.search.scoring.saved_networks import trials_with_networks
from nlb_search.search.study.chain_trials import by_chain
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.trial_scores import complete_trials
from nlb_search.storage.claims.trial_counts import finished_count

CANDIDATES = 20
"""Number of best trials from which an ensemble is selected."""


@dataclass(frozen=True)
class Selection:
    """The ``count`` best trials of each of the ``architectures``, or of the whole study if there are none.

    If ``count`` is "auto", they are the up to ``CANDIDATES`` best trials, pruned ones included, from which an ensemble
    is selected. If ``trial`` is given, it is the trial with this number instead.
    """

    count: int | Literal["auto"] = 1
    architectures: tuple[str, ...] = ()
    judge: Judge = "val"
    trial: int | None = None


def selection_of(
    phase: Phases,
    ensemble: int | Literal["auto"] | None = None,
    architectures: tuple[str, ...] = (),
    judge: Judge = "val",
    trial: int | None = None,
) -> Selection:
    """The selection that options of an export ask for; ``ensemble`` is None if the user did not choose.

    Raises UsageError if they exclude each other.
    """
    if trial is not None and (ensemble not in (None, 1) or architectures or judge != "val"):
        raise UsageError("--trial names one trial: remove --ensemble, --arch and --by")
    # Means over chains and rescored trials are averaged as they are named.
    default = AUTO if phase != "val" and trial is None and not architectures and judge == "val" else 1
    return Selection(default if ensemble is None else ensemble, architectures, judge, trial)


def select(study: OpenStudy, selection: Selection) -> list[FrozenTrial]:
    """The selected trials of a study, best first. Raises SearchError if the study has too few, or not this one."""
    if selection.trial is not None:
        return [_trial_with_network(study, selection.trial)]
    if selection.judge == "splits":
        ranked, kind, remedy = ranked_by_splits(study), "rescored trials", _rescore_remedy
    elif selection.count == AUTO:
        ranked, kind, remedy = trials_with_networks(study), "trials with a network", _search_remedy
    else:
        ranked, kind, remedy = complete_trials(study.study), "complete trials", _search_remedy
    chosen: list[FrozenTrial] = []
    for name, trials in by_chain(study, ranked, selection.architectures):
        needed, wanted = (1, CANDIDATES) if selection.count == AUTO else (selection.count, selection.count)
        if len(trials) < needed:
            raise SearchError(
                f"the study '{study.name}' has {len(trials)} {kind}{name}, fewer than the {needed} requested: "
                f"{remedy(study, selection)}"
            )
        chosen += trials[:wanted]
    return chosen


def _trial_with_network(study: OpenStudy, number: int) -> FrozenTrial:
    trials = sorted(trials_with_networks(study), key=lambda trial: trial.number)
    for trial in trials:
        if trial.number == number:
            return trial
    numbers = ", ".join(str(trial.number) for trial in trials)
    raise SearchError(
        f"the study '{study.name}' has no network of a trial {number}: choose one of {numbers or 'none, yet'}; trials "
        "that failed have none"
    )


def _search_remedy(study: OpenStudy, selection: Selection) -> str:
    if finished_count(study.study) < study.budget:
        return f"continue it with `nlb-search resume {study.name}`"
    alone = ", or only this chain" if selection.architectures else ""
    return f"search again with more trials, with --pruner none{alone}"


def _rescore_remedy(study: OpenStudy, selection: Selection) -> str:
    each = "the same --arch and " if selection.architectures else ""
    return f"run `nlb-search rescore {study.name}` with {each}more --finalists"
