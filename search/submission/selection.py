"""Selects the trials of a study for a submission."""

from dataclasses import dataclass

from optuna.trial import FrozenTrial

from nlb_search.search.errors import SearchError
from nlb_search.search.rescoring.rescoring import ranked_by_splits
from nlb_search.search.study.chain_trials import by_chain
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import complete_trials
from nlb_search.search.submission.option_values import Judge
from nlb_search.storage.claims.trial_counts import finished_count


@dataclass(frozen=True)
class Selection:
    """The ``count`` best trials of each of the ``architectures``, or of the whole study if there are none."""

    count: int = 1
    architectures: tuple[str, ...] = ()
    judge: Judge = "val"


def select(study: OpenStudy, selection: Selection) -> list[FrozenTrial]:
    """The selected trials of a study, best first. Raises SearchError if the study has too few."""
    judged_by_val = selection.judge == "val"
    ranked = complete_trials(study.study) if judged_by_val else ranked_by_splits(study)
    kind, remedy = ("complete trials", _search_remedy) if judged_by_val else ("rescored trials", _rescore_remedy)
    chosen: list[FrozenTrial] = []
    for name, trials in by_chain(study, ranked, selection.architectures):
        if len(trials) < selection.count:
            raise SearchError(
                f"the study '{study.name}' has {len(trials)} {kind}{name}, fewer than the {selection.count} requested: "
                f"{remedy(study, selection)}"
            )
        chosen += trials[: selection.count]
    return chosen


def _search_remedy(study: OpenStudy, selection: Selection) -> str:
    if finished_count(study.study) < study.spec.trials:
        return f"continue it with `nlb-search resume {study.name}`"
    alone = ", or only this chain" if selection.architectures else ""
    return f"search again with more trials, with --pruner none{alone}"


def _rescore_remedy(study: OpenStudy, selection: Selection) -> str:
    each = "the same --arch and " if selection.architectures else ""
    return f"run `nlb-search rescore {study.name}` with {each}more --finalists"
