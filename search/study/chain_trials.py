"""Groups the trials of a study by chain."""

from collections.abc import Sequence

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
    check_searched([study], architectures)
    if not architectures:
        return [("", trials)]
    return [
        (
            f" of '{architecture}'",
            [trial for trial in trials if study.spec.architecture_of(trial.params) == architecture],
        )
        for architecture in architectures
    ]


def check_searched(studies: Sequence[OpenStudy], architectures: tuple[str, ...]) -> None:
    """Raise SearchError if none of the studies searches one of the architectures."""
    searched = list(dict.fromkeys(chain for study in studies for chain in study.spec.architectures))
    for architecture in architectures:
        if architecture not in searched:
            does = "does" if len(studies) == 1 else "do"
            it = "it searches" if len(studies) == 1 else "they search"
            raise SearchError(
                f"{studies_as_text(studies)} {does} not search '{architecture}' ({it} {' and '.join(searched)}): "
                "name one of these chains with --arch, or search it in another study with `nlb-search launch`"
            )


def studies_as_text(studies: Sequence[OpenStudy]) -> str:
    """The studies as the subject of a sentence."""
    names = " and ".join(f"'{study.name}'" for study in studies)
    return f"the study {names}" if len(studies) == 1 else f"the studies {names}"
