"""Selects trials for a submission, from the studies of one recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from optuna.trial import FrozenTrial

from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.export_options import AUTO, Phases, RankingCriterion
from nlb_search.search.networks.saved_networks import trials_with_networks
from nlb_search.search.objectives import ObjectiveName
from nlb_search.search.rescoring.rescoring import finished_rescoring
from nlb_search.search.study.chain_trials import check_searched, studies_as_text
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.pareto_front import merit
from nlb_search.search.trials.trial_scores import complete_trials, network_score
from nlb_search.storage.claims.trial_counts import finished_count

CANDIDATES = 20
"""Number of best trials from which an ensemble is selected."""


@dataclass(frozen=True)
class Selection:
    """The ``count`` best trials of each of the ``architectures``, or of all trials if there are none.

    ``criterion`` says which are the best. If ``count`` is "auto", they are the up to ``CANDIDATES`` best trials, from
    which an ensemble is selected; for the criterion "val", they are the best by co-bps, pruned ones included. If
    ``trial`` is given, it is the trial with this number of the only study instead.
    """

    count: int | Literal["auto"] = 1
    architectures: tuple[str, ...] = ()
    criterion: RankingCriterion = "val"
    trial: int | None = None


@dataclass(frozen=True)
class StudyTrial:
    """A trial, and the study that it belongs to."""

    study: OpenStudy
    trial: FrozenTrial

    @property
    def architecture(self) -> str:
        return self.study.spec.architecture_of(self.trial.params)


def selection_of(
    phase: Phases,
    ensemble: int | Literal["auto"] | None = None,
    architectures: tuple[str, ...] = (),
    criterion: RankingCriterion = "val",
    trial: int | None = None,
) -> Selection:
    """The selection requested by the options of an export; ``ensemble`` is None if the user did not choose.

    Raises UsageError if options exclude each other.
    """
    if trial is not None and (ensemble not in (None, 1) or architectures or criterion != "val"):
        raise UsageError("--trial selects a single trial: remove --ensemble, --arch and --by")
    # Means over chains and rescored trials are averaged exactly as selected.
    default = AUTO if phase != "val" and trial is None and not architectures and criterion == "val" else 1
    return Selection(default if ensemble is None else ensemble, architectures, criterion, trial)


def select(studies: Sequence[OpenStudy], selection: Selection) -> list[StudyTrial]:
    """The selected trials of the studies of one recording, best first.

    Raises SearchError if there are too few, or if the study does not have the given one.
    """
    if selection.trial is not None:
        [study] = studies
        return [_trial_with_network(study, selection.trial)]
    check_searched(studies, selection.architectures)
    kind, ranked = _ranked(studies, selection)
    chosen: list[StudyTrial] = []
    for architecture in selection.architectures or (None,):
        found = [one for one in ranked if architecture in (None, one.architecture)]
        needed, wanted = (1, CANDIDATES) if selection.count == AUTO else (selection.count, selection.count)
        if len(found) < needed:
            of_chain = "" if architecture is None else f" of '{architecture}'"
            raise SearchError(
                f"{studies_as_text(studies)} {'has' if len(studies) == 1 else 'have'} {len(found)} {kind}{of_chain}, "
                f"fewer than the {needed} requested: {_remedy(studies, selection)}"
            )
        chosen += found[:wanted]
    return chosen


def _ranked(studies: Sequence[OpenStudy], selection: Selection) -> tuple[str, list[StudyTrial]]:
    """A description of what is ranked, and the trials of all studies, best first."""
    match selection.criterion:
        case "splits":
            return "rescored trials", _ranked_by_splits(studies)
        case "val" if selection.count == AUTO:
            found = [StudyTrial(study, trial) for study in studies for trial in trials_with_networks(study)]
            return "trials with a network", sorted(found, key=lambda one: -network_score(one.trial))
        case "val":
            return "complete trials", _ranked_by(_first_objective(studies), studies)
        case objective:
            return "complete trials", _ranked_by(objective, studies)


def _first_objective(studies: Sequence[OpenStudy]) -> ObjectiveName:
    first = {study.spec.objectives[0]: study.name for study in studies}
    if len(first) > 1:
        each = " and ".join(f"{objective} (the study '{name}')" for objective, name in first.items())
        raise UsageError(
            f"the studies have different first objectives, {each}: choose an objective that all of them have with --by"
        )
    return next(iter(first))


def _ranked_by(objective: ObjectiveName, studies: Sequence[OpenStudy]) -> list[StudyTrial]:
    """The complete trials, best in the objective first. Ties are broken so that the first is on the front."""
    for study in studies:
        if objective not in study.spec.objectives:
            raise UsageError(
                f"--by {objective}: it is not an objective of the study '{study.name}', which optimizes "
                f"{' and '.join(study.spec.objectives)}: choose one of them"
            )
    found = [StudyTrial(study, trial) for study in studies for trial in complete_trials(study.study)]
    return sorted(found, key=lambda one: merit(one.trial, one.study.spec.objectives, objective), reverse=True)


def _ranked_by_splits(studies: Sequence[OpenStudy]) -> list[StudyTrial]:
    rescorings = [finished_rescoring(study) for study in studies]
    for study, rescoring in zip(studies, rescorings, strict=True):
        if rescoring.splits != rescorings[0].splits:
            raise SearchError(
                f"the study '{studies[0].name}' was rescored on {rescorings[0].splits} folds, and '{study.name}' on "
                f"{rescoring.splits}: run `nlb-search rescore` with the same --splits for both"
            )
    found = [
        (one.mean, StudyTrial(study, one.trial))
        for study, rescoring in zip(studies, rescorings, strict=True)
        for one in rescoring.ranked
    ]
    return [one for _, one in sorted(found, key=lambda pair: -pair[0])]


def _trial_with_network(study: OpenStudy, number: int) -> StudyTrial:
    trials = sorted(trials_with_networks(study), key=lambda trial: trial.number)
    for trial in trials:
        if trial.number == number:
            return StudyTrial(study, trial)
    numbers = ", ".join(str(trial.number) for trial in trials)
    raise SearchError(
        f"the study '{study.name}' has no network for trial {number}: choose one of {numbers or 'none yet'}; failed "
        "trials have none"
    )


def _remedy(studies: Sequence[OpenStudy], selection: Selection) -> str:
    if selection.criterion == "splits":
        each = "the same --arch and " if selection.architectures else ""
        return f"run `nlb-search rescore {studies[0].name}` with {each}more --finalists"
    for study in studies:
        if finished_count(study.study) < study.budget:
            return f"continue it with `nlb-search resume {study.name}`"
    alone = ", or only this chain" if selection.architectures else ""
    return f"search again with more trials, with --pruner none{alone}"
