"""The trials of a study, chain by chain."""

from optuna.trial import FrozenTrial

from nlb_search.search.errors import SearchError
from nlb_search.search.study.opening import OpenStudy


def by_chain(
    study: OpenStudy, trials: list[FrozenTrial], architectures: tuple[str, ...]
) -> list[tuple[str, list[FrozenTrial]]]:
    """The trials of each of the architectures, after words that name it; all together where none is named.

    Raises SearchError for an architecture that the study does not search.
    """
    searched = study.spec.architectures
    for architecture in architectures:
        if architecture not in searched:
            raise SearchError(
                f"the study '{study.name}' does not search '{architecture}' (it searches {' and '.join(searched)}): "
                "name one of its chains with --arch, or search that one with `nlb-search launch`"
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
