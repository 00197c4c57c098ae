"""The ceiling of a study's scores, where it is known."""

from nlb_search.data.ceiling import Ceiling, find_ceiling
from nlb_search.search.study.open_study import OpenStudy
from nlb_search.search.study.status import BestTrial

BIN_MS = 5
"""Bin width at which the ceiling of a synthetic recording is computed."""


def known_ceiling(study: OpenStudy) -> Ceiling | None:
    """The ceiling of the study's recording, if it is synthetic and the study has the ceiling's bin width.

    Raises DataError if the file beside the recording cannot be read.
    """
    if study.spec.bin_ms != BIN_MS:
        return None
    return find_ceiling(study.spec.dataset, study.locations.data)


def share_of_ceiling(best: BestTrial, ceiling: Ceiling) -> str:
    """The fraction of the ceiling that the best trial reaches, in words."""
    return f"the best trial reaches {best.value / ceiling.co_bps_val:.0%} of it"
