"""Groups the trials of a study by chain."""

from optuna.trial import FrozenTrial

from nlb_search.search.errors import SearchError
from nlb_search.search.study.open_study import OpenStudy


def by_chain(
    study: OpenStudy, trials: list[FrozenTrial], architectures: tuple[str, ...]
) -> list[tuple[str, list[FrozenTrial]]]:
    """Group trials by architecture: pairs of a phrase for messages and the trials of that architecture.

    Without ``architectures``, all trials form one group with an empty phrase. Raises SearchError for an architecture
    that the study does not search.
    """
    searched = study.spec.architectures
    for architecture in architectures:
        if architecture not in searched:
            raise SearchError(
                f"the study '{study.name}' does not search '{architecture}' (it searches {' and '.join(searched)}): "
                "name one of its chains with --arch, or search it in another study with `nlb-search launch`"
            )
    if not architectures:
        return [("", trials)]
    return [
        (
            f" of '{architecture}'",
            [trial for trial in trials if study.spec.architecture_of(trial.params) == architecture],
        )
        for architecture in architectures
    ]
