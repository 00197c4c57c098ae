"""Checks the counts that a model reads."""

from typing import Any

import numpy as np
import numpy.typing as npt

from nlb_search.search.errors import SearchError


def check_counts(counts: npt.NDArray[Any]) -> None:
    """Raise SearchError unless all values are finite and not negative."""
    if counts.dtype.kind not in "buif" or not (np.isfinite(counts) & (counts >= 0)).all():
        raise SearchError(
            "held-in counts must be finite and 0 or more, in spikes per bin: replace NaN, where nothing was recorded, "
            "with 0"
        )
