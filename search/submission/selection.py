"""Selects the trials of a study for a submission."""

from dataclasses import dataclass
from typing import Literal

from optuna.trial import FrozenTrial

from nlb_search.search.errors import SearchError
from nlb_search.search.rescoring.rescoring import ranked_by_splits
from nlb_search.search.study.chain_trials import by_chain
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import complete_trials
from nlb_search.search.submission.option_values import AUTO, Judge
from nlb_search.storage.claims.trial_counts import finished_count

CANDIDATES = 20
"""Number of best trials from which an ensemble is selected."""


@dataclass(frozen=True)
class Selection:
    """The ``count`` best trials of each of the ``architectures``, or of the whole study if there are none.

    If ``count`` is "auto", they are the up to ``CANDIDATES`` best trials, from which an ensemble is selected. If
    ``trial`` is given, it is the trial with this number instead.
    """

    count: int | Literal["auto"] = 1
    architectures: tuple[str, ...] = ()
    judge: Judge = "val"
    trial: int | None = None


def select(study: OpenStudy, selection: Selection) -> list[FrozenTrial]:
    """The selected trials of a study, best first. Raises SearchError if the study has too few, or not this one."""
    if selection.trial is not None:
        return [_complete_trial(study, selection.trial)]
    judged_by_val = selection.judge == "val"
    ranked = complete_trials(study.study) if judged_by_val else ranked_by_splits(study)
    kind, remedy = ("complete trials", _search_remedy) if judged_by_val else ("rescored trials", _rescore_remedy)
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


def _complete_trial(study: OpenStudy, number: int) -> FrozenTrial:
    trials = complete_trials(study.study)
    for trial in trials:
        if trial.number == number:
            return trial
    numbers = ", ".join(str(trial.number) for trial in sorted(trials, key=lambda trial: trial.number))
    raise SearchError(
        f"the study '{study.name}' has no complete trial {number}: choose one of {numbers or 'none, yet'}; trials that "
        "were pruned or failed have no network"
    )


def _search_remedy(study: OpenStudy, selection: Selection) -> str:
    if finished_count(study.study) < study.budget:
        return f"continue it with `nlb-search resume {study.name}`"
    alone = ", or only this chain" if selection.architectures else ""
    return f"search again with more trials, with --pruner none{alone}"


def _rescore_remedy(study: OpenStudy, selection: Selection) -> str:
    each = "the same --arch and " if selection.architectures else ""
    return f"run `nlb-search rescore {study.name}` with {each}more --finalists"
